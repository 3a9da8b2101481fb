/**
 * The rules that say why a peer's path is what it is, in the order in which they are asked: the first whose evidence is
 * there decides. Pure.
 *
 *   a UDP path in use → nothing there to look for → one side lets no UDP out → no address worth a try → still trying →
 *   what both networks do to ports → "unknown", naming what is missing
 *
 * A rule claims nothing of a side that it has no evidence of. No sentence holds an address: those are in the evidence.
 */
import { isLinkLocalIp, isPrivateIp, isIp4, prefixContains } from '../../../base/ip.ts'
import type { CandidateView } from '../types.ts'
import type { Fact, Finding, PathEvidence, Rule, Step } from './evidence.ts'
import { opensPorts } from './evidence.ts'
import { count, directOnes, formatMs, lead, noReply, peerRelay, placeOf, placeWords, triedOnes } from './words.ts'

/** The quick rounds at the start: after them, silence means something. */
const TRYING_ROUNDS = 7
/** A peer that looks for a direct path pings every 5 s at first: one that did not lately has perhaps given up. */
const PINGS_LATELY_MS = 7000

const rule = (name: string, judge: (e: PathEvidence) => Finding | undefined): Rule => ({ name, judge })
const fact = (label: string, value: string): Fact => ({ label, value })
const step = (id: Step['id'], text: string, who: string): Step => ({ id, step: text, who })

const PEER_RELAY_STEP = step('peer-relay', 'Let a device that both reach directly pass it on', 'an admin')
const OTHER_NETWORK_STEP = step('other-network', 'Use another network', 'you')
const PORT_MAPPING_STEP = step('port-mapping', 'Turn on port mapping (UPnP or NAT-PMP) in this router', 'whoever runs this network')

const NARROW_STEP = step('large-packets', 'Find the tunnel or router on the way that loses large packets', 'whoever runs this network')

/** Packets go by UDP, to the peer or to a node that forwards. */
const UDP_RULES: readonly Rule[] = [
  rule('offline-at-rest', (e) => (e.machine.path.kind === 'both' && !e.machine.isActive && isOffline(e) ? offline('not tried:') : undefined)),
  rule('fixed-address', ({ machine }) =>
    machine.noDirect === 'fixed' && machine.path.kind === 'direct' ? { sentence: 'direct: it speaks WireGuard alone, at the address that the server names', evidence: [] } : undefined),
  rule('narrow-direct', ({ machine }) =>
    machine.path.kind === 'direct' && machine.candidates.find((one) => one.isBest)?.carries === 'small'
      ? { sentence: 'direct: narrow path, full-size packets do not get through, and there is no relay to take them', evidence: [fact('Packets that get through', 'small ones alone')], steps: [NARROW_STEP] }
      : undefined),
  rule('direct', ({ machine }) => {
    if (machine.path.kind !== 'direct') return undefined
    const took = machine.latencyMs === undefined ? 'it answers' : `answered in ${formatMs(machine.latencyMs)}`
    return { sentence: `direct: ${took} ${placeWords(machine.path.addr.ip)}`, args: { place: placeOf(machine.path.addr.ip) }, evidence: latencyFact(machine.latencyMs) }
  }),
  rule('unproven', (e) => {
    const { machine } = e
    if (machine.path.kind !== 'both') return undefined
    const way = machine.path.vni === undefined ? 'the direct path' : `the way through ${peerRelay(e)}`
    if (machine.misses > 0) return { sentence: `both ways: no reply to ${count(machine.misses, 'ping')} on ${way}`, args: { state: 'missed', misses: machine.misses }, evidence: [fact('Pings without a reply', String(machine.misses))] }
    const best = machine.candidates.find((one) => one.isBest)
    if (machine.isActive && machine.answered > 0 && best?.carries === 'unknown') return { sentence: `both ways: ${way} answers, and is being tried with full-size packets`, args: { state: 'sizing' }, evidence: [] }
    return { sentence: `both ways: ${way} ${machine.isActive ? 'is not proven at present' : 'has rested and is not proven again yet'}`, args: { state: machine.isActive ? 'unproven' : 'rested' }, evidence: [] }
  }),
]

/** There is nothing to find, whatever the networks are like. */
const NOTHING_TO_FIND: readonly Rule[] = [
  rule('not-connected', ({ machine }) => (machine.noDirect === 'not-connected' ? { sentence: 'unknown: this device is not connected', evidence: [], confidence: 'unknown', steps: [step('connect', 'Connect', 'you')] } : undefined)),
  rule('expired', ({ machine }) => (machine.noDirect === 'expired' ? { sentence: 'no path: its sign-in has ended', evidence: [], steps: [step('sign-in-there', 'Sign in there again', 'its owner')] } : undefined)),
  rule('unreachable', ({ machine }) =>
    machine.noDirect === 'unreachable' ? { sentence: 'no path: it has neither a relay nor a key for direct paths, so it cannot be reached', evidence: [], steps: [step('connect-there', 'Connect it once', 'its owner')] } : undefined),
  rule('switched-off', (e) =>
    e.machine.noDirect === 'switched-off' ? { sentence: `${lead(e)} direct paths are switched off here`, evidence: [fact('Direct paths', 'switched off in this engine')] } : undefined),
  rule('relay-not-in-map', ({ machine, own }) =>
    machine.path.kind === 'relay' && own?.relay?.isInMap === false
      ? { sentence: 'no path: its relay is none of the relays that this network has', evidence: [fact('Its relay', `region ${machine.path.region}, not in the list`)], steps: [step('same-relays', 'Give all devices the same list of relays', 'an admin')] }
      : undefined),
  rule('offline', (e) => {
    if (!isOffline(e)) return undefined
    const wasLookedFor = e.machine.isActive || triedOnes(e).length > 0
    return offline(!wasLookedFor ? 'not tried:' : e.machine.path.kind === 'none' ? 'no path:' : lead(e))
  }),
  rule('gone', (e) =>
    e.machine.isGone && e.machine.answered === 0 ? { sentence: `${lead(e)} its relay says that it is not connected there`, evidence: [fact('Relay says', 'not connected')], confidence: 'likely' } : undefined),
  rule('no-key', (e) => (e.machine.noDirect === 'no-disco-key' ? { sentence: `${lead(e)} it has no key for finding direct paths`, evidence: [fact('Key for direct paths', 'none')] } : undefined)),
  rule('relay-down', ({ machine, own }) =>
    machine.path.kind === 'relay' && machine.isActive && machine.answered === 0 && own?.relay?.isConnected === false
      ? { sentence: 'no path just now: its relay cannot be reached from here, and no direct address has answered', evidence: [fact('Connection to its relay', 'down')], confidence: 'likely' }
      : undefined),
  rule('no-traffic', (e) =>
    !e.machine.isActive && triedOnes(e).length === 0 && e.machine.path.kind !== 'peer-relay'
      ? { sentence: 'not tried: no traffic yet, so no direct path was looked for', evidence: [], steps: [step('ping', 'Ping it', 'you')] }
      : undefined),
]

/** One network lets no UDP out at all. */
const NO_UDP: readonly Rule[] = [
  rule('captive-portal', (e) =>
    e.own?.report?.udp === false && e.own.report.captivePortal === true
      ? { sentence: `${lead(e)} this network wants a sign-in on its own page first`, evidence: [fact('Sign-in page', 'in the way')], steps: [step('portal', 'Sign in on the page of this network', 'you')] }
      : undefined),
  rule('own-no-udp', (e) =>
    e.own?.report?.udp === false
      ? { sentence: `${lead(e)} this network blocks UDP`, evidence: [fact('UDP here', 'no relay answered')], steps: [OTHER_NETWORK_STEP, step('allow-udp', 'Ask for UDP to the internet', 'whoever runs this network')] }
      : undefined),
  rule('peer-no-udp', (e) =>
    e.peer?.netInfo?.WorkingUDP === false
      ? { sentence: `${lead(e)} its network blocks UDP, as it reported`, evidence: [fact('UDP there', 'blocked, as it reported')], steps: [step('other-network-there', 'Use another network there', 'its owner')] }
      : undefined),
]

/** An address answers, and is of no use. */
const NARROW: readonly Rule[] = [
  rule('narrow', (e) => {
    const narrow = directOnes(e).filter((one) => one.carries === 'small' && one.lastPongAgoMs !== undefined)
    return narrow.length > 0
      ? { sentence: `${lead(e)} narrow path, the direct one answers but loses full-size packets`, evidence: [fact('Addresses that carry small packets alone', String(narrow.length))], steps: [NARROW_STEP] }
      : undefined
  }),
]

/** None of its addresses can be reached, so far as one can tell before trying. */
const NO_ADDRESS: readonly Rule[] = [
  rule('no-address', (e) => {
    if (directOnes(e).length > 0) return undefined
    const named = e.peer?.endpoints.length ?? 0
    if (!e.peer) return { sentence: `${lead(e)} none of its addresses is known`, args: { named: 0 }, evidence: [fact('Addresses known', 'none')] }
    if (named === 0) return { sentence: `${lead(e)} it named no address`, args: { named: 0 }, evidence: [fact('Addresses known', 'none')] }
    return { sentence: `${lead(e)} nothing can be sent to any of the ${count(named, 'address', 'addresses')} that it named`, args: { named }, evidence: [fact('Addresses in the network map', String(named))] }
  }),
  rule('other-family', (e) => {
    const report = e.own?.report
    const known = directOnes(e)
    if (!report || e.machine.answered > 0) return undefined
    const hasNoV6 = !report.osHasIpv6 || (report.ipv6CanSend && !report.ipv6 && report.ipv4)
    const hasNoV4 = report.ipv4CanSend && !report.ipv4 && report.ipv6
    const missing = hasNoV6 && known.every((one) => !isIp4(one.addr.ip)) ? 'IPv6' : hasNoV4 && known.every((one) => isIp4(one.addr.ip)) ? 'IPv4' : undefined
    return missing && { sentence: `${lead(e)} it named only ${missing} addresses, and this network has no ${missing}`, args: { family: missing }, evidence: [fact(`${missing} here`, 'does not work')], steps: [OTHER_NETWORK_STEP] }
  }),
]

/** Addresses were tried, not for long. */
const TRYING: readonly Rule[] = [
  rule('trying', (e) => {
    const tried = triedOnes(e)
    if (tried.length === 0) return { sentence: `${lead(e)} ${count(directOnes(e).length, 'address is', 'addresses are')} known and none has been tried yet`, args: { tried: 0, known: directOnes(e).length }, evidence: [knownFact(e)] }
    if (!e.machine.isActive || Math.max(...tried.map((one) => one.unanswered)) > TRYING_ROUNDS) return undefined
    return { sentence: `${lead(e)} ${lost(e)}${noReply(tried.length, true)}`, args: { tried: tried.length, known: directOnes(e).length }, evidence: [triedFact(tried)] }
  }),
]

/** Nobody answered: what is it about the two networks? */
const SILENCE: readonly Rule[] = [
  rule('lan-silent', (e) => {
    const outside = e.own?.report?.globalV4?.ip
    const near = directOnes(e).filter((one) => isNear(one, e))
    if (outside === undefined || near.length === 0 || !directOnes(e).some((one) => one.addr.ip === outside)) return undefined
    return {
      sentence: `${lead(e)} both are on one local network, but it does not answer there`,
      evidence: [fact('Public address', 'the same on both sides'), triedFact(near)], confidence: 'likely',
      steps: [step('client-isolation', 'Turn off isolation of Wi-Fi clients', 'whoever runs this network'), step('firewall-there', 'Allow UDP in the firewall of the other device', 'its owner')],
    }
  }),
  rule('private-only', (e) => {
    const known = directOnes(e)
    if (!known.every((one) => isPrivateIp(one.addr.ip) || isLinkLocalIp(one.addr.ip))) return undefined
    const foreign = (e.own?.networks.length ?? 0) > 0 && !known.some((one) => isNear(one, e))
    return {
      sentence: `${lead(e)} it named only addresses of private networks${foreign ? ' that are not ours' : ', and none of them replied'}`,
      args: { foreign: foreign ? 'yes' : 'no' }, evidence: [triedFact(known)], steps: [step('relays-by-udp', 'Check that it can reach the relays by UDP', 'its owner')],
    }
  }),
  rule('hard-both', (e) =>
    hard(e.own) === true && peerHard(e) === true
      ? { sentence: `${silence(e)}; both networks give each destination its own port`, args: tried(e), evidence: natFacts(e), steps: [OTHER_NETWORK_STEP, ...portMappingStep(e), PEER_RELAY_STEP] }
      : undefined),
  rule('one-way', (e) => {
    const heard = directOnes(e).filter((one) => (one.pingedUsAgoMs ?? PINGS_LATELY_MS) < PINGS_LATELY_MS && one.unanswered > TRYING_ROUNDS)
    if (heard.length === 0) return undefined
    return {
      sentence: `${lead(e)} its pings arrive here, but no reply to ours does`, evidence: [fact('It pinged us from', count(heard.length, 'address', 'addresses')), triedFact(triedOnes(e)), ...natFacts(e)],
      confidence: 'likely', steps: [step('firewall-there', 'Allow UDP in the firewall of the other device', 'its owner')],
    }
  }),
  rule('hard-one', (e) => {
    const [mine, theirs] = [hard(e.own), peerHard(e)]
    if (mine === undefined || theirs === undefined || mine === theirs) return undefined
    const [whose, other] = mine ? ['this network gives', 'its network'] : ['its network gives', 'this network']
    return {
      sentence: `${silence(e)}; ${whose} each destination its own port, ${other} does not`, args: { ...tried(e), side: mine ? 'here' : 'there' }, evidence: natFacts(e), confidence: 'likely',
      steps: [...(mine ? portMappingStep(e) : [step('port-mapping-there', 'Turn on port mapping (UPnP or NAT-PMP) in the router there', 'its owner')]), PEER_RELAY_STEP],
    }
  }),
  rule('easy-both', (e) =>
    hard(e.own) === false && peerHard(e) === false
      ? { sentence: `${silence(e)}, though both networks keep one port for all destinations`, args: tried(e), evidence: natFacts(e), confidence: 'likely', steps: [step('both-firewalls', 'Allow UDP in the firewalls of both sides', 'you and its owner')] }
      : undefined),
  rule('unknown', (e) => {
    const missing = missingEvidence(e)
    return { sentence: `${silence(e)}${missing === 'nothing' ? '' : `; unknown why: ${MISSING_WORDS[missing]}`}`, args: { ...tried(e), missing }, evidence: natFacts(e), confidence: 'unknown', steps: unknownSteps(e) }
  }),
]

/** All rules, in their order; the last of them always decides. */
export const RULES: readonly Rule[] = [...UDP_RULES, ...NOTHING_TO_FIND, ...NO_UDP, ...NARROW, ...NO_ADDRESS, ...TRYING, ...SILENCE]

/** Offline by the server's word, and nothing else says otherwise. */
const isOffline = ({ machine, peer }: PathEvidence): boolean => peer?.online === false && !peer.heardSince && machine.answered === 0
const offline = (begin: string): Finding => ({ sentence: `${begin} it is offline, as the server says`, evidence: [fact('Server says', 'offline')], steps: [step('turn-on', 'Turn it on, or connect it', 'its owner')] })

const latencyFact = (latencyMs: number | undefined): Fact[] => (latencyMs === undefined ? [] : [fact('Round trip', formatMs(latencyMs))])
const knownFact = (e: PathEvidence): Fact => fact('Addresses known', String(directOnes(e).length))
const triedFact = (tried: readonly CandidateView[]): Fact => fact('Silent addresses', String(tried.filter((one) => one.unanswered > 0).length))

/** "relayed: no reply from any of 4 addresses". */
const silence = (e: PathEvidence): string => `${lead(e)} ${lost(e)}${noReply(triedOnes(e).length)}`

/** How many addresses were tried, for a sentence's arguments. */
const tried = (e: PathEvidence): { readonly tried: number } => ({ tried: triedOnes(e).length })

/** Why the last direct path was given up. What the system says of its networks may name a gateway: that is for the journal. */
function lost({ machine }: PathEvidence): string {
  if (machine.lostWhy === undefined || machine.answered > 0) return ''
  return `${/\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f]*:/i.test(machine.lostWhy) ? 'the network here changed' : machine.lostWhy}; `
}

const hard = (own: PathEvidence['own']): boolean | undefined => own?.report?.mappingVariesByDestIp
const peerHard = (e: PathEvidence): boolean | undefined => e.peer?.netInfo?.MappingVariesByDestIP ?? undefined

function natFacts(e: PathEvidence): Fact[] {
  const words = (varies: boolean | undefined): string => (varies === undefined ? 'not known' : varies ? 'differs by destination' : 'one for all destinations')
  return [triedFact(triedOnes(e)), fact('Port outside, here', words(hard(e.own))), fact('Port outside, there', words(peerHard(e)))]
}

/** Only where the router was asked and refused: where nobody asked it is no advice. */
function portMappingStep(e: PathEvidence): Step[] {
  return e.own?.report && opensPorts(e.own.report) === false ? [PORT_MAPPING_STEP] : []
}

/** Lies in a network that this machine is in, too. */
function isNear(one: CandidateView, e: PathEvidence): boolean {
  return isPrivateIp(one.addr.ip) && (e.own?.networks ?? []).some((network) => prefixContains(network, one.addr.ip))
}

/** What one relay cannot show, two can: whether each destination sees another port. */
function unknownSteps(e: PathEvidence): Step[] {
  if (e.own && !e.own.report) return [step('look-again', 'Look again in ten seconds', 'you')]
  return e.own && hard(e.own) === undefined ? [step('second-relay', 'Run a second relay, so that it can be told what both networks do', 'an admin')] : [step('update', 'Update it, if its version is old', 'its owner')]
}

const MISSING_WORDS = {
  here: 'this network was not measured yet', there: 'it did not report what its network is like',
  'ports-both': 'neither network showed how it gives out ports', 'ports-here': 'this network did not show how it gives out ports', 'ports-there': 'its network did not show how it gives out ports',
} as const

function missingEvidence(e: PathEvidence): keyof typeof MISSING_WORDS | 'nothing' {
  if (e.own && !e.own.report) return 'here'
  if (e.peer && !e.peer.netInfo) return 'there'
  const [mine, theirs] = [e.own && hard(e.own) === undefined, e.peer && peerHard(e) === undefined]
  if (mine === true && theirs === true) return 'ports-both'
  if (mine === true) return 'ports-here'
  return theirs === true ? 'ports-there' : 'nothing'
}
