/**
 * The window's requests that find out why: a look at this network, who answers a name, whether a place can be reached. Lookups and
 * connections leave this computer for places that the window names, so a read-only window may not make those.
 */
import { METHODS } from '../localapi/methods.ts'
import type { RequestName } from '../../preload/contract.ts'
import { oneOf, text, version } from './checks.ts'
import type { Handler } from './requests.ts'

const TARGET_LIMIT = 300
const NAME_LIMIT = 300
/** Kinds of records that the window offers to look up. */
const TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SRV', 'TXT'] as const

type DiagnoseName = Extract<RequestName, 'netcheck' | 'dnsLookup' | 'reach'>

export const DIAGNOSE_HANDLERS: Readonly<Record<DiagnoseName, Handler>> = {
  netcheck: (client) => client.json({ method: 'GET', path: METHODS.netcheck.path }),
  dnsLookup: (client, _host, send) => {
    const name = text(send['name'], 'name', NAME_LIMIT)
    const type = oneOf(send['type'], 'type', TYPES)
    return client.json({ method: 'GET', path: `${METHODS.dnsLookup.path}?${new URLSearchParams({ name, type }).toString()}` })
  },
  reach: (client, _host, send) => {
    const target = text(send['target'], 'target', TARGET_LIMIT)
    const after = version(send['after'], 'after')
    return client.json({ method: 'GET', path: `${METHODS.reach.path}?${new URLSearchParams({ target, ...(after === undefined ? {} : { after: String(after) }) }).toString()}` })
  },
}
