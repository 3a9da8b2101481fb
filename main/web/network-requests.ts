/**
 * The window's requests about networks: where internet traffic goes, networks behind devices, forwards and proxies. Each is checked
 * and becomes one call of the engine, or two where a list is changed by one of its members.
 */
import { DEFAULT_ROUTES } from '../engine/base/ip.ts'
import type { LocalApiClient } from '../client/local-api-client.ts'
import { METHODS } from '../localapi/methods.ts'
import type { ExitNodeAction } from '../localapi/exit-nodes.ts'
import type { ExitNodeFailure, Extras } from '../localapi/extras.ts'
import { skippedAfterAccepting, type RoutesPage } from '../localapi/routes.ts'
import type { Prefs } from '../localapi/types.ts'
import type { RequestName } from '../../preload/contract.ts'
import { flag, oneOf, prefix, prefixes, shortName, text, version } from './checks.ts'
import type { Handler, HostActions } from './requests.ts'
import { exitChange, tryFirst } from './try-first.ts'

const FAILURES: readonly ExitNodeFailure[] = ['block', 'next', 'direct']
const ADDRESS_LIMIT = 300
const ACCEPT = { RouteAll: true, RouteAllSet: true } as const

type NetworkName = Extract<
  RequestName,
  | 'exitNodes' | 'useExitNode' | 'clearExitNode' | 'pauseExitNode' | 'checkExitNode' | 'setExitNodeFailure' | 'routes' | 'useRoute' | 'useAllRoutes' | 'offer' | 'blocked' | 'dns'
  | 'forwards' | 'addForward' | 'removeForward' | 'openForward' | 'proxies'
>

export const NETWORK_HANDLERS: Readonly<Record<NetworkName, Handler>> = {
  exitNodes: (client, _host, send) => {
    const after = version(send['after'], 'after')
    return client.json({ method: 'GET', path: `${METHODS.exitNodes.path}${after === undefined ? '' : `?after=${after}`}` })
  },
  useExitNode: async (client, host, send) => {
    const Node = send['id'] === undefined ? 'auto' : shortName(send['id'], 'id')
    await tryFirst(client, exitChange(Node), () => act(client, { Do: 'use', Node }), { wantsTrial: host.wantsTrial, refusesBlocked: true })
    return exitPage(client)
  },
  clearExitNode: async (client, host) => {
    await tryFirst(client, exitChange(''), () => act(client, { Do: 'clear' }), { wantsTrial: host.wantsTrial })
    return exitPage(client)
  },
  pauseExitNode: (client, _host, send) => act(client, { Do: flag(send['on'], 'on') ? 'pause' : 'resume' }),
  checkExitNode: (client) => act(client, { Do: 'check' }),
  setExitNodeFailure: async (client, _host, send) => {
    await client.json({ method: 'PATCH', path: METHODS.editExtras.path, body: { ExitNodeFailure: oneOf(send['failure'], 'failure', FAILURES) } })
    return null
  },
  routes: (client) => client.json({ method: 'GET', path: METHODS.routes.path }),
  useRoute: async (client, host, send) => {
    const [one, use] = [prefix(send['prefix'], 'prefix'), flag(send['use'], 'use')]
    const { SkippedRoutes } = (await client.json({ method: 'GET', path: METHODS.extras.path })) as Extras
    const page = (await client.json({ method: 'GET', path: METHODS.routes.path })) as RoutesPage
    // What is not wanted is skipped before networks are accepted at all, so that none is used in between.
    const skipped = use ? skippedAfterAccepting(page, SkippedRoutes, [one]) : changed(SkippedRoutes, [one], true)
    await acceptFirst(client, host, skipped, use && !page.Accept)
    return null
  },
  useAllRoutes: async (client, host) => {
    await acceptFirst(client, host, [], true)
    return null
  },
  offer: async (client, _host, send) => {
    const wanted = send['prefixes'] === 'exit' ? DEFAULT_ROUTES : prefixes(send['prefixes'], 'prefixes')
    const on = flag(send['on'], 'on')
    const { AdvertiseRoutes } = await prefsOf(client)
    await client.json({ method: 'PATCH', path: METHODS.editPrefs.path, body: { AdvertiseRoutes: changed(AdvertiseRoutes ?? [], wanted, on), AdvertiseRoutesSet: true } })
    return null
  },
  blocked: (client) => client.json({ method: 'GET', path: METHODS.blocked.path }),
  dns: (client) => client.json({ method: 'GET', path: METHODS.dnsPage.path }),
  forwards: (client) => client.json({ method: 'GET', path: METHODS.forwards.path }),
  addForward: (client, _host, send) => {
    const Proto = oneOf(send['Proto'] ?? 'tcp', 'Proto', ['tcp', 'udp'])
    return client.json({ method: 'POST', path: METHODS.addForward.path, body: { Proto, Listen: text(send['Listen'], 'Listen', ADDRESS_LIMIT), To: text(send['To'], 'To', ADDRESS_LIMIT) } })
  },
  removeForward: (client, _host, send) => client.json({ method: 'DELETE', path: `${METHODS.removeForward.path}?id=${shortName(send['id'], 'id')}` }),
  openForward: (client, _host, send) => {
    const To = text(send['To'], 'To', ADDRESS_LIMIT)
    const scheme = send['Scheme'] === undefined ? {} : { Scheme: oneOf(send['Scheme'], 'Scheme', ['http', 'https']) }
    return client.json({ method: 'POST', path: METHODS.openForward.path, body: { To, ...scheme } })
  },
  proxies: (client) => client.json({ method: 'GET', path: METHODS.proxies.path }),
}

function act(client: LocalApiClient, body: ExitNodeAction): Promise<unknown> {
  return client.json({ method: 'POST', path: METHODS.exitNodeAction.path, body })
}

/** The list with those members, or without them. */
function changed(list: readonly string[], members: readonly string[], member: boolean): readonly string[] {
  const others = list.filter((one) => !members.includes(one))
  return member ? [...others, ...members] : others
}

/** Leaves out those networks and, where it is wanted, accepts the others; on trial where that takes something away. */
async function acceptFirst(client: LocalApiClient, host: HostActions, SkippedRoutes: readonly string[], accepts: boolean): Promise<void> {
  await tryFirst(client, { SkippedRoutes, ...(accepts ? { Prefs: ACCEPT } : {}) }, async () => {
    await skip(client, SkippedRoutes)
    if (accepts) await accept(client)
  }, { wantsTrial: host.wantsTrial })
}

function exitPage(client: LocalApiClient): Promise<unknown> {
  return client.json({ method: 'GET', path: METHODS.exitNodes.path })
}

async function skip(client: LocalApiClient, SkippedRoutes: readonly string[]): Promise<void> {
  await client.json({ method: 'PATCH', path: METHODS.editExtras.path, body: { SkippedRoutes } })
}

async function accept(client: LocalApiClient): Promise<void> {
  await client.json({ method: 'PATCH', path: METHODS.editPrefs.path, body: ACCEPT })
}

async function prefsOf(client: LocalApiClient): Promise<Prefs> {
  return (await client.json({ method: 'GET', path: METHODS.prefs.path })) as Prefs
}
