/**
 * Answers the engine which proxy the system's settings name for a place, PAC files and automatic detection among them.
 *
 *   engine → app   { kind: 'proxy', id, url }
 *   app → engine   { kind: 'proxy', id, answer }     as a PAC file answers; '' when it cannot be told
 */

/** Of Electron's session what is used. */
export interface ProxyResolver {
  resolveProxy(url: string): Promise<string>
}

/** Whether the message asked that; the answer comes by `reply`. */
export function answerProxy(session: ProxyResolver, message: unknown, reply: (message: unknown) => void): boolean {
  if (typeof message !== 'object' || message === null) return false
  const { kind, id, url } = message as Record<string, unknown>
  if (kind !== 'proxy' || typeof id !== 'number') return false
  const asked = typeof url === 'string' && /^https?:\/\//.test(url) ? session.resolveProxy(url) : Promise.resolve('')
  asked.catch(() => '').then((answer) => reply({ kind, id, answer }), () => {})
  return true
}
