/**
 * Addresses of a host for whoever wants to connect to it: the network's own names, then search domains, then whoever the
 * plan names. Where that is the system, it is asked as any program asks it, its hosts file included; while an exit node is
 * chosen it is not.
 *
 * An alias that leads out of what was asked is followed here, so that an alias into the network finds the device.
 */
import type { Env } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import { isIp4 } from '../base/ip.ts'
import { decide, findHost } from '../core/dns/decide.ts'
import { plainName, RCODE, rcodeName, TYPE } from '../core/dns/message.ts'
import { candidatesOf } from '../core/dns/search.ts'
import type { DnsOutcome } from './outcome.ts'
import type { Resolver } from './resolver.ts'

/** How long the other family is waited for behind the first (RFC 8305). */
const OTHER_FAMILY_MS = 50
const MAX_ALIASES = 8

export interface LookupDeps {
  readonly env: Env
  readonly resolver: Resolver
  readonly systemLookup: (host: string) => Promise<readonly string[]>
}

export interface Found {
  /** In the order in which they are to be tried. */
  readonly addresses: readonly string[]
  readonly why: string
}

/** Rejects with EngineError('dns-no-such-name' | 'dns-failed' | 'io'), with a sentence. */
export async function lookup(deps: LookupDeps, host: string): Promise<Found> {
  const { resolver } = deps
  let first: EngineError | undefined
  const candidates = candidatesOf(resolver.plan, host)
  for (const name of candidates) {
    try {
      return await lookupFull(deps, name, 0)
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'dns-no-such-name') throw error
      first ??= error
    }
  }
  // Another plan may be in force by now.
  const { rest } = resolver.plan
  // The system knows names that no resolver does: its hosts file, its neighbours.
  if (rest.kind === 'system' && !candidates.includes(plainName(host))) return bySystem(deps, host)
  if (rest.kind === 'blocked') throw new EngineError('dns-failed', `${host} is not looked up: ${rest.why}`)
  throw first ?? new EngineError('dns-no-such-name', `${host} has one label alone, and no search domain of the network has it`)
}

async function lookupFull(deps: LookupDeps, name: string, depth: number): Promise<Found> {
  const { env, resolver } = deps
  const host = findHost(resolver.plan, name)
  if (host) return { addresses: oneOf(host.addresses, name), why: host.node ? `${host.name} is a device of this network` : `${host.name} is a record that the server gives` }
  const kind = decide(resolver.plan, { name, type: TYPE.A }, 0).kind
  if (kind === 'system') return bySystem(deps, name)
  const both = [TYPE.A, TYPE.AAAA].map((type) => resolver.ask(name, type))
  const outcomes = await settledSoon(env, both)
  const found = outcomes.map((outcome) => addressesIn(outcome, name))
  const addresses = found.flatMap((one) => one.addresses)
  const answered = outcomes.find((_outcome, i) => found[i]!.addresses.length > 0) ?? outcomes[0]!
  if (addresses.length > 0) return { addresses, why: answered.why }
  const alias = found.find(({ end }) => end !== name)?.end
  if (alias !== undefined && depth < MAX_ALIASES) {
    const further = await lookupFull(deps, alias, depth + 1)
    return { addresses: further.addresses, why: `${name} is another name of ${alias}; ${further.why}` }
  }
  throw nothing(name, outcomes)
}

/** All outcomes; of two the second is waited for no longer than a moment once the first has addresses. */
async function settledSoon(env: Env, asked: readonly Promise<DnsOutcome>[]): Promise<readonly DnsOutcome[]> {
  const known: (DnsOutcome | undefined)[] = asked.map(() => undefined)
  const all = Promise.all(asked.map((one, i) => one.then((outcome) => void (known[i] = outcome))))
  const good = Promise.any(asked.map(async (one) => {
    const outcome = await one
    if (outcome.rcode !== RCODE.ok || outcome.answers.length === 0) throw new Error('nothing')
  })).catch(() => all)
  await Promise.race([all, good])
  let cancel = (): void => {}
  const moment = new Promise<void>((resolve) => (cancel = env.clock.after(OTHER_FAMILY_MS, resolve)))
  await Promise.race([all, moment])
  cancel()
  all.catch(() => {})
  return known.filter((outcome) => outcome !== undefined)
}

/** Addresses at the end of the aliases of an answer, and that end. */
function addressesIn(outcome: DnsOutcome, name: string): { readonly addresses: readonly string[]; readonly end: string } {
  let end = name
  const seen = new Set<string>()
  for (let next: string | undefined = name; next !== undefined && !seen.has(next) && seen.size <= MAX_ALIASES;) {
    seen.add((end = next))
    next = outcome.answers.find((record) => record.type === 'CNAME' && record.name === end)?.data
  }
  return { addresses: outcome.answers.filter(({ name: owner, type }) => owner === end && (type === 'A' || type === 'AAAA')).map(({ data }) => data), end }
}

async function bySystem({ systemLookup }: LookupDeps, host: string): Promise<Found> {
  try {
    return { addresses: await systemLookup(host), why: "this computer's own resolver says so" }
  } catch (cause) {
    throw new EngineError('dns-no-such-name', `${host} has no address`, { cause })
  }
}

/** One address, so that a refusal is a refusal: only a rejected IPv4 flow is answered by the peer, IPv6 would time out. */
function oneOf(addresses: readonly string[], name: string): readonly string[] {
  const ip = addresses.find(isIp4) ?? addresses[0]
  if (ip === undefined) throw new EngineError('dns-no-such-name', `${name} has no address of a family that this device has`)
  return [ip]
}

function nothing(name: string, outcomes: readonly DnsOutcome[]): EngineError {
  const failed = outcomes.find(({ rcode }) => rcode !== RCODE.ok && rcode !== RCODE.noSuchName)
  if (failed) return new EngineError('dns-failed', `${name} could not be looked up: ${failed.from === 'resolver' ? `${failed.why} ${rcodeName(failed.rcode)}` : failed.why}`)
  const note = outcomes.flatMap(({ notes }) => notes)[0]
  return new EngineError('dns-no-such-name', note ?? `${name} has no address (${outcomes[0]?.why ?? 'nobody answered'})`)
}
