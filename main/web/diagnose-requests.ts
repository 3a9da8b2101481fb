/**
 * The window's requests that find out why: a look at this network, who answers a name, whether a place can be reached. Lookups and
 * connections leave this computer for places that the window names, so a read-only window may not make those.
 */
import type { LocalApiClient } from '../client/local-api-client.ts'
import { METHODS } from '../localapi/methods.ts'
import type { NetcheckJson, ThisNetwork } from '../localapi/this-network.ts'
import type { PreflightPage } from '../localapi/preflight.ts'
import type { Prefs } from '../localapi/types.ts'
import type { RequestName } from '../../preload/contract.ts'
import { oneOf, text, version } from './checks.ts'
import type { Handler } from './requests.ts'

const TARGET_LIMIT = 300
const NAME_LIMIT = 300
/** Kinds of records that the window offers to look up. */
const TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SRV', 'TXT'] as const

type DiagnoseName = Extract<RequestName, 'thisNetwork' | 'dnsLookup' | 'reach'>

export const DIAGNOSE_HANDLERS: Readonly<Record<DiagnoseName, Handler>> = {
  thisNetwork: (client) => thisNetwork(client),
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

/** A run ends by itself well before so many pages. */
const MAX_PAGES = 60

async function thisNetwork(client: LocalApiClient): Promise<ThisNetwork> {
  const [report, steps, map] = await Promise.all([
    client.json({ method: 'GET', path: METHODS.netcheck.path }) as Promise<NetcheckJson>,
    serverSteps(client).catch(() => []),
    client.json({ method: 'GET', path: METHODS.derpMap.path }).catch(() => null) as Promise<{ readonly Regions?: Readonly<Record<string, Region>> } | null>,
  ])
  const relays = Object.values(map?.Regions ?? {}).map(({ RegionID, RegionCode, RegionName }) => ({ Region: RegionID, Code: RegionCode, Name: RegionName }))
  return { Report: report, Steps: steps, Relays: relays }
}

interface Region {
  readonly RegionID: number
  readonly RegionCode: string
  readonly RegionName: string
}

/** What a look at the server in use saw of proxy, sign-in page, other VPNs and clock; the look may be refused to whoever may only read. */
async function serverSteps(client: LocalApiClient): Promise<ThisNetwork['Steps']> {
  const { ControlURL } = (await client.json({ method: 'GET', path: METHODS.prefs.path })) as Prefs
  let page = (await client.json({ method: 'POST', path: METHODS.beginPreflight.path, body: { Target: ControlURL } })) as PreflightPage
  for (let left = MAX_PAGES; page.State === 'running' && left > 0; left--) {
    page = (await client.json({ method: 'GET', path: `${METHODS.preflight.path}?run=${encodeURIComponent(page.Run)}&after=${page.Version}` })) as PreflightPage
  }
  return page.Steps
}
