/**
 * Which addresses the person's browser may be sent to: web pages alone, plain ones only on this machine or for a server
 * that is plain itself. A control server's word is not enough for `file:`, `javascript:` or anything else.
 */

/** The address in normal form when it may be opened, else undefined. `controlUrl` is the server in use. */
export function mayOpen(url: string, controlUrl: string): string | undefined {
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    return undefined
  }
  if (parsed.username !== '' || parsed.password !== '') return undefined
  if (parsed.protocol === 'https:') return parsed.href
  if (parsed.protocol !== 'http:') return undefined
  const local = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(parsed.hostname)
  return local || /^http:\/\//i.test(controlUrl) ? parsed.href : undefined
}
