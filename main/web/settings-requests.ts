/**
 * The window's requests about what is kept on this computer: certificates that were let in, and where things lie.
 */
import { METHODS } from '../localapi/methods.ts'
import type { RequestName } from '../../preload/contract.ts'
import { Refused, text } from './checks.ts'
import type { Handler } from './requests.ts'

export const SETTINGS_HANDLERS: Readonly<Record<Extract<RequestName, 'trust' | 'removeTrust' | 'storage'>, Handler>> = {
  trust: (client) => client.json({ method: 'GET', path: METHODS.trust.path }),
  removeTrust: (client, _host, send) => {
    const fingerprint = text(send['fingerprint'], 'fingerprint')
    if (!/^[0-9A-F]{2}(:[0-9A-F]{2}){31}$/.test(fingerprint)) throw new Refused('fingerprint must be that of a certificate')
    return client.json({ method: 'DELETE', path: `${METHODS.removeTrust.path}?fingerprint=${fingerprint}` })
  },
  storage: (client) => client.json({ method: 'GET', path: METHODS.storage.path }),
}
