/**
 * Verbs of the official command that this engine does not serve: each answers with one clear refusal, so that nobody
 * wonders whether it was mistyped.
 */
import type { Verb } from '../verb.ts'

const WHY: readonly (readonly [name: string, why: string])[] = [
  ['cert', 'Certificates (cert) are not served: Headscale hands out none. Use a certificate of your own for a local service.'],
  ['lock', 'Tailnet lock is not served: Headscale has none.'],
  ['funnel', 'Funnel is not served: it needs relays on the internet that Headscale does not have.'],
  ['drive', 'Shared folders (drive) are not served.'],
  ['update', 'This program does not update itself. Install a newer one the way this one was installed.'],
  ['serve', 'Serve is not there yet. Connections from other devices already reach the same port of 127.0.0.1 here, where the rules allow them.'],
  ['ssh', 'An SSH client of its own is not there. Use ssh through the proxy: ssh -o ProxyCommand="nc -X 5 -x 127.0.0.1:1055 %h %p" HOST'],
]

export const REFUSED: readonly Verb[] = WHY.map(([name, refusal]) => ({ name, summary: 'not served by this engine', usage: '', help: refusal, flags: {}, refusal }))
