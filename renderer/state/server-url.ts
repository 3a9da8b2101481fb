/**
 * Reads a server's address as people type it. Pure.
 */

/** The origin to use; "example.net" is https, an address on this machine is plain unless it says otherwise. undefined = no address. */
export function serverUrl(text: string): string | undefined {
  const trimmed = text.trim()
  if (trimmed === '') return undefined
  const withScheme = /^[a-z]+:\/\//i.test(trimmed) ? trimmed : `${/^(localhost|127\.|\[::1\])/.test(trimmed) ? 'http' : 'https'}://${trimmed}`
  try {
    const url = new URL(withScheme)
    const named = /^([a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])$/i.test(url.hostname)
    return named && (url.protocol === 'https:' || url.protocol === 'http:') ? url.origin : undefined
  } catch {
    return undefined
  }
}
