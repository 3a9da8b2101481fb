/**
 * The window's requests about joining: looks at servers, joining by the link of a look, and trusting what a server shows.
 */
import type { LocalApiClient } from '../client/local-api-client.ts'
import { METHODS } from '../localapi/methods.ts'
import type { TrustPage } from '../localapi/types.ts'
import type { RequestName } from '../../preload/contract.ts'
import { flag, Refused, shortName, text, version } from './checks.ts'
import type { Handler } from './requests.ts'

/** A join link is at most 6,000 characters. */
const TARGET_LIMIT = 8000

type JoinName = Extract<RequestName, 'lookAtServer' | 'preflight' | 'join' | 'trustShown'>

export const JOIN_HANDLERS: Readonly<Record<JoinName, Handler>> = {
  lookAtServer: (client, _host, send) => {
    const instead = send['instead'] === undefined ? {} : { Instead: shortName(send['instead'], 'instead') }
    return client.json({ method: 'POST', path: METHODS.beginPreflight.path, body: { Target: text(send['target'], 'target', TARGET_LIMIT), Quick: flag(send['quick'], 'quick'), ...instead } })
  },
  preflight: (client, _host, send) => {
    const after = version(send['after'], 'after')
    return client.json({ method: 'GET', path: `${METHODS.preflight.path}?run=${shortName(send['run'], 'run')}${after === undefined ? '' : `&after=${after}`}` })
  },
  join: (client, _host, send) => client.json({ method: 'POST', path: METHODS.join.path, body: { Run: shortName(send['run'], 'run') } }),
  trustShown: async (client, _host, send) => {
    const [server, fingerprint] = [text(send['server'], 'server'), text(send['fingerprint'], 'fingerprint')]
    await trustShown(client, `${METHODS.trust.path}?server=${encodeURIComponent(server)}`, fingerprint)
    return null
  },
}

/** The window names a certificate by its fingerprint; the certificate itself is the one that the engine saw. */
async function trustShown(client: LocalApiClient, path: string, fingerprint: string): Promise<void> {
  const { Shown = [] } = (await client.json({ method: 'GET', path })) as TrustPage
  const found = Shown.find(({ Fingerprint }) => Fingerprint === fingerprint)
  if (!found) throw new Refused('the server shows no such certificate')
  await client.json({ method: 'PUT', path, body: { PEM: found.PEM } })
}
