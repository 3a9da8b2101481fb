/**
 * What a change would take away: bowline/preview. Looks at the computer once, and changes nothing.
 */
import { EngineError } from '../../base/errors.ts'
import type { ErrorCode } from '../../base/errors.ts'
import { isRisky, lossesOf } from './losses.ts'
import type { PreviewFacts } from '../../core/preview/facts.ts'
import type { PreviewSide } from './losses.ts'
import { routeChanges, sideOf } from './sides.ts'
import type { WantedOutcome } from '../../backend/wanted-changes.ts'
import type { MachineMode, MachineNames, MachinePage, MachineWhy, PreviewPage, WantedChange } from '../../../localapi/machine.ts'
import type { MachinePort, SurroundingsPort, WantedPort } from './ports.ts'
import { readChange } from './read-change.ts'

export interface PreviewsDeps {
  readonly wanted: WantedPort
  readonly machine: MachinePort
  readonly surroundings: SurroundingsPort
}

/** Errors that mean "cannot be made", rather than "is no change". */
const REFUSALS: readonly ErrorCode[] = ['bad-prefs', 'managed-by-policy']
/** Of lists of prefixes so many are told. */
const MAX_ROUTES = 1_000

export class Previews {
  readonly #deps: PreviewsDeps

  constructor(deps: PreviewsDeps) {
    this.#deps = deps
  }

  /** The page for a WantedChange of a client. Rejects with EngineError('bad-argument'). `withPrograms`: programs may be named. */
  async page(body: unknown, withPrograms: boolean): Promise<PreviewPage> {
    return this.of(readChange(body), withPrograms)
  }

  /** The page for a change. */
  async of(change: WantedChange, withPrograms = true): Promise<PreviewPage> {
    const { wanted, machine, surroundings } = this.#deps
    const seen = await surroundings.look()
    const now = machine.page()
    const own = { ...now.Names, Own: seen.names.servers }
    const before = sideFrom(wanted.outcome(), isWhole(now) ? 'whole' : 'apps', own)
    const refused = this.#refusal(change, now)
    const after = refused ? before : sideFrom(wanted.outcomeOf(wanted.valuesAfter(change)), change.Mode ?? (isWhole(now) ? 'whole' : 'apps'), own)
    const losses = refused ? [] : this.#losses(before, after, withPrograms ? seen : withoutPrograms(seen))
    const { added, removed } = routeChanges(before, after)
    return {
      Losses: losses,
      RoutesAdded: added.slice(0, MAX_ROUTES),
      RoutesRemoved: removed.slice(0, MAX_ROUTES),
      Internet: { Before: before.internet, After: after.internet },
      Names: { Before: before.names.page, After: after.names.page },
      IsRisky: isRisky(losses),
      ...(refused ? { Refused: refused } : {}),
    }
  }

  #losses(before: PreviewSide, after: PreviewSide, seen: Omit<PreviewFacts, 'system'>): PreviewPage['Losses'] {
    const { wanted, surroundings } = this.#deps
    return lossesOf({ before, after, selfAddresses: wanted.selfAddresses(), proxyPorts: surroundings.proxyPorts(), facts: { ...seen, system: wanted.outcome().system } })
  }

  #refusal(change: WantedChange, now: MachinePage): MachineWhy | undefined {
    if (change.Mode === 'whole' && now.Mode !== 'whole' && now.Cannot) return now.Cannot
    try {
      this.#deps.wanted.valuesAfter(change)
      return undefined
    } catch (error) {
      if (error instanceof EngineError && REFUSALS.includes(error.code)) return { Code: error.code, Text: error.message }
      throw error
    }
  }
}

/** The computer is in the tunnel, or about to be. */
const isWhole = ({ Mode, State }: MachinePage): boolean => Mode === 'whole' && State !== 'failed'

function sideFrom({ plan, prefs, system, isConnected, exitTrouble }: WantedOutcome, mode: MachineMode, own: MachineNames): PreviewSide {
  return sideOf({ mode, isConnected, ...plan, allowLan: prefs.ExitNodeAllowLANAccess, acceptDns: prefs.CorpDNS, system, exitTrouble }, own)
}

function withoutPrograms<T extends Pick<PreviewFacts, 'connections'>>(seen: T): T {
  return { ...seen, connections: seen.connections.map(({ local, remote, isInbound, isOurs }) => ({ local, remote, isInbound, isOurs })) }
}
