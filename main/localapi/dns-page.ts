/**
 * bowline/dns and bowline/dns-lookup: how names are resolved, and who answered one. Names as on the wire.
 */

import type { MachineNames } from './machine.ts'

/** Who may be asked, and how it is reached. */
export interface ResolverView {
  /** As the server names it, or the system does: "10.0.0.53", "https://…", "http://100.64.0.3:40000/dns-query". */
  readonly Addr: string
  /** `system`: outside the tunnel, by this computer's network. `tunnel`: through `Through`. `https`: DNS over HTTPS. */
  readonly By: 'here' | 'system' | 'tunnel' | 'https' | 'exit-node'
  /** Name of the device that carries the question. */
  readonly Through?: string
  /** Of the path to that device, as in PathRow. */
  readonly Path?: string
  /** Why it is not asked. */
  readonly Refused?: string
}

export interface DnsRouteView {
  /** "" = every other name. */
  readonly Suffix: string
  /** None: answered here. */
  readonly Resolvers: readonly ResolverView[]
  readonly Why: string
}

export interface DnsPage {
  readonly Enabled: boolean
  readonly MagicDNS: boolean
  readonly Suffix: string
  readonly SelfName: string
  readonly Search: readonly string[]
  /** The longest suffix first, the default last. */
  readonly Routes: readonly DnsRouteView[]
  /** Whether the system's own programs use them, in one sentence. */
  readonly System: string
  /** Who was asked to send names of the system's programs here, and which; absent: an engine that does not know. */
  readonly SystemNames?: Pick<MachineNames, 'Through' | 'All' | 'Domains' | 'Own'>
  /** Sentences about what is odd: names that two answer, a resolver that does not answer. */
  readonly Notes: readonly string[]
  readonly Counters: Readonly<Record<string, number>>
}

export interface DnsAnswerView {
  readonly Name: string
  readonly Type: string
  readonly TTL: number
  readonly Data: string
}

/** One who was asked, in the order of asking. */
export interface DnsAttempt {
  readonly Who: ResolverView
  readonly Rcode?: string
  readonly Answers: readonly DnsAnswerView[]
  /** From the question to the answer, the way to the resolver included. */
  readonly LatencyMs?: number
  readonly Failed?: string
  /** Its answer is the one that counts. */
  readonly Used: boolean
}

export interface DnsLookupPage {
  /** As asked; `Full` is the name that was looked up in the end, with a search domain where one was added. */
  readonly Name: string
  readonly Full: string
  readonly Type: string
  /** One sentence: who answered and why that one. */
  readonly Why: string
  readonly Rcode: string
  readonly Answers: readonly DnsAnswerView[]
  readonly FromCache: boolean
  readonly Attempts: readonly DnsAttempt[]
  /** What else would have answered: "the local network calls printer.lan by this name too". */
  readonly Notes: readonly string[]
}
