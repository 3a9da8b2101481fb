/**
 * "Can I reach X:port, and which rule says so?" as a ladder of rungs, from what was seen and from nothing else. Pure.
 *
 *   name → device → route → handshake → path → tunnel → host → port
 *
 * Each rung stands on the one before it. The first that fails is the verdict, and what is above it was not looked at. A rung that was not
 * answered but does not have to be (a machine need not answer ICMP) is `unclear`, and so is one below another that was proven: bytes that
 * came back through the tunnel prove keys and path. Policy is named only when the device itself said so.
 *
 * Invariant: a verdict other than `open` and `up` names the rung that failed, and every rung above that one is `not-looked`.
 */
import type { ReachTarget } from './target.ts'

export const RUNGS = ['name', 'device', 'route', 'handshake', 'path', 'tunnel', 'host', 'port'] as const
export type RungName = (typeof RUNGS)[number]

/** How a look ended: an answer with its round trip, or none. */
export type Answer = { readonly ok: true; readonly latencyMs: number } | { readonly ok: false; readonly why: string }

/** How a TCP connection to the port came out. */
export type TcpEnd =
  | { readonly kind: 'connected'; readonly latencyMs: number }
  /** A device said which of its rules refused it. */
  | { readonly kind: 'rejected'; readonly reason: 'acl' | 'shields-up' | 'forwarding-off' | 'host-firewall' | 'other' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'failed'; readonly why: string }

/** Who has the address. */
export type Place =
  | { readonly kind: 'self' }
  /** Beyond the network: this computer's own connection leads there. */
  | { readonly kind: 'outside' }
  | { readonly kind: 'peer'; readonly name: string; readonly isItself: boolean; readonly saysOnline: boolean | undefined }
  | { readonly kind: 'none'; readonly why: string }
  /** A device of the map that no packets can go to: its key has ended, or it was never here. */
  | { readonly kind: 'unusable'; readonly name: string; readonly why: string }
  /** In a network behind a device that is not in use here. */
  | { readonly kind: 'route-unused'; readonly prefix: string; readonly why: string }
  /** Closed while an exit node is chosen, or by another rule of this computer. */
  | { readonly kind: 'not-allowed'; readonly why: string }

/** What is known so far; what is absent was not looked at yet. */
export interface ReachEvidence {
  readonly target: ReachTarget
  /** Why nothing can be looked at at all. */
  readonly notConnected?: string
  readonly name?: { readonly kind: 'given' | 'found'; readonly ip: string } | { readonly kind: 'missing'; readonly why: string }
  readonly place?: Place
  /** The prefix that leads to the device. */
  readonly route?: string
  /** Since the last one; absent: there was none. */
  readonly handshakeAgoMs?: number
  readonly path?: { readonly kind: string; readonly words: string }
  readonly disco?: Answer
  readonly tunnel?: Answer
  readonly host?: Answer
  readonly port?: TcpEnd
}

export type RungState = 'not-looked' | 'looking' | 'passed' | 'unclear' | 'failed'

export interface Rung {
  readonly name: RungName
  readonly state: RungState
  /** An address, a name, a prefix, a path or a reason: raw, to be shown as it is. */
  readonly value?: string
  readonly latencyMs?: number
  /** Since the handshake. */
  readonly ageMs?: number
}

export type VerdictCode =
  | 'open' | 'up' | 'self' | 'outside'
  | 'not-connected' | 'no-such-name' | 'no-such-device' | 'unusable' | 'route-unused' | 'not-allowed'
  | 'offline' | 'no-answer' | 'no-keys' | 'no-tunnel'
  | 'policy' | 'shields-up' | 'forwarding-off' | 'host-firewall' | 'refused' | 'nothing-listens' | 'unreachable' | 'silent' | 'silent-6' | 'failed'

export interface Verdict {
  readonly code: VerdictCode
  /** The rung that failed. */
  readonly rung?: RungName
  /** A clause of whoever looked, where there is one. */
  readonly why?: string
}

export interface Ladder {
  readonly rungs: readonly Rung[]
  /** Absent while it is being looked at. */
  readonly verdict?: Verdict
}

/** A session is made anew after two minutes of use; what is older proves nothing. */
export const FRESH_HANDSHAKE_MS = 180_000

/** The ladder of what is known; `done`: nothing more comes. */
export function ladderOf(evidence: ReachEvidence, done: boolean): Ladder {
  const verdict = verdictOf(evidence, done)
  const rungs = RUNGS.filter((name) => name !== 'port' || evidence.target.port !== 0).map((name) => rungOf(name, evidence))
  return { rungs: settle(rungs, verdict, done), ...(verdict ? { verdict } : {}) }
}

/** Above the rung that failed nothing counts, and while it goes on the first that nothing is known of is being looked at. */
function settle(rungs: readonly Rung[], verdict: Verdict | undefined, done: boolean): readonly Rung[] {
  const failed = verdict?.rung
  if (failed !== undefined) {
    const at = rungs.findIndex(({ name }) => name === failed)
    return rungs.map((rung, i) => (i < at ? (rung.state === 'failed' ? { ...rung, state: 'unclear' } : rung) : i === at ? { ...rung, state: 'failed' } : { name: rung.name, state: 'not-looked' }))
  }
  const isPlain = verdict?.code === 'self' || verdict?.code === 'outside'
  const last = rungs.findLastIndex(({ state }) => state === 'passed')
  return rungs.map((rung, i) => {
    if (rung.state === 'failed') return { ...rung, state: 'unclear' }
    if (rung.state === 'not-looked' && !isPlain && i < last) return { ...rung, state: 'unclear' }
    return rung.state === 'not-looked' && !done && !verdict && i === rungs.findIndex(({ state }) => state === 'not-looked') ? { ...rung, state: 'looking' } : rung
  })
}

function rungOf(name: RungName, evidence: ReachEvidence): Rung {
  const { place, route, handshakeAgoMs, path, disco, tunnel, host, port } = evidence
  switch (name) {
    case 'name':
      if (!evidence.name) return { name, state: 'not-looked' }
      return evidence.name.kind === 'missing' ? { name, state: 'failed' } : { name, state: 'passed', value: evidence.name.ip }
    case 'device':
      if (!place) return { name, state: 'not-looked' }
      if (place.kind === 'peer') return { name, state: 'passed', value: place.name }
      return { name, state: place.kind === 'none' || place.kind === 'unusable' ? 'failed' : 'not-looked', ...(place.kind === 'unusable' ? { value: place.name } : {}) }
    case 'route':
      if (place?.kind === 'route-unused') return { name, state: 'failed', value: place.prefix }
      return route === undefined ? { name, state: 'not-looked' } : { name, state: 'passed', value: route }
    case 'handshake':
      if (handshakeAgoMs !== undefined && handshakeAgoMs <= FRESH_HANDSHAKE_MS) return { name, state: 'passed', ageMs: handshakeAgoMs }
      return proves(evidence) ? { name, state: 'passed' } : { name, state: disco || tunnel ? 'failed' : 'not-looked' }
    case 'path':
      if (disco?.ok === true) return { name, state: 'passed', ...(path ? { value: path.words } : {}), latencyMs: disco.latencyMs }
      if (proves(evidence)) return { name, state: 'passed', ...(path ? { value: path.words } : {}) }
      return { name, state: disco ? 'failed' : 'not-looked' }
    case 'tunnel':
      return answerRung(name, tunnel)
    case 'host':
      // Many machines do not answer this, and need not.
      return host?.ok === false ? { name, state: 'unclear' } : answerRung(name, host)
    case 'port':
      return portRung(port)
  }
}

function answerRung(name: RungName, answer: Answer | undefined): Rung {
  if (!answer) return { name, state: 'not-looked' }
  return answer.ok ? { name, state: 'passed', latencyMs: answer.latencyMs } : { name, state: 'failed' }
}

function portRung(port: TcpEnd | undefined): Rung {
  if (!port) return { name: 'port', state: 'not-looked' }
  if (port.kind === 'connected') return { name: 'port', state: 'passed', latencyMs: port.latencyMs }
  return { name: 'port', state: 'failed', value: port.kind === 'rejected' ? port.reason : port.kind }
}

/** Whether something came back through the tunnel. */
function proves({ tunnel, host, port }: ReachEvidence): boolean {
  return tunnel?.ok === true || host?.ok === true || port?.kind === 'connected' || port?.kind === 'rejected' || port?.kind === 'refused'
}

function verdictOf(evidence: ReachEvidence, done: boolean): Verdict | undefined {
  const { notConnected, name, place, port, target } = evidence
  if (notConnected !== undefined) return { code: 'not-connected', rung: 'name', why: notConnected }
  if (name?.kind === 'missing') return { code: 'no-such-name', rung: 'name', why: name.why }
  switch (place?.kind) {
    case 'self':
    case 'outside':
      return { code: place.kind }
    case 'none':
      return { code: 'no-such-device', rung: 'device', why: place.why }
    case 'unusable':
      return { code: 'unusable', rung: 'device', why: place.why }
    case 'route-unused':
      return { code: 'route-unused', rung: 'route', why: place.why }
    case 'not-allowed':
      return { code: 'not-allowed', rung: name ? 'route' : 'name', why: place.why }
    case 'peer':
      break
    case undefined:
      return done ? { code: 'failed', rung: 'name', why: 'the look was broken off' } : undefined
  }
  if (port && port.kind !== 'silent') return portVerdict(port)
  if (!done) return undefined
  return proves(evidence) ? (target.port === 0 ? { code: 'up' } : silence(evidence)) : deadVerdict(evidence, place.saysOnline)
}

function portVerdict(port: Exclude<TcpEnd, { kind: 'silent' }>): Verdict {
  switch (port.kind) {
    case 'connected':
      return { code: 'open' }
    case 'rejected':
      return { code: ({ acl: 'policy', 'shields-up': 'shields-up', 'forwarding-off': 'forwarding-off', 'host-firewall': 'host-firewall', other: 'refused' } as const)[port.reason], rung: 'port' }
    case 'refused':
      return { code: 'nothing-listens', rung: 'port' }
    case 'unreachable':
      return { code: 'unreachable', rung: 'port' }
    case 'failed':
      return { code: 'failed', rung: 'port', why: port.why }
  }
}

/** The device answers and the port says nothing. By IPv6 a device refuses without a word, so that its rules may be why. */
function silence({ port, name }: ReachEvidence): Verdict {
  if (!port) return { code: 'failed', rung: 'port', why: 'the look was broken off' }
  const isIp6 = name !== undefined && name.kind !== 'missing' && name.ip.includes(':')
  return { code: isIp6 ? 'silent-6' : 'silent', rung: 'port' }
}

/** Nothing came back through the tunnel. */
function deadVerdict({ disco, handshakeAgoMs }: ReachEvidence, saysOnline: boolean | undefined): Verdict {
  if (handshakeAgoMs !== undefined && handshakeAgoMs <= FRESH_HANDSHAKE_MS && disco?.ok === true) return { code: 'no-tunnel', rung: 'tunnel' }
  if (disco?.ok === true) return { code: 'no-keys', rung: 'handshake' }
  return { code: saysOnline === false ? 'offline' : 'no-answer', rung: 'handshake' }
}
