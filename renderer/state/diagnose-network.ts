/**
 * What the network here lets through, in a sentence, eight facts and the relays by round trip. Pure. What was not looked at is not known,
 * and never painted as good.
 */
import type { ThisNetwork } from '../../preload/contract.ts'
import { safeText } from '../../main/words/format.ts'
import { isWord, t } from '../../main/words/words.ts'

export type FactMark = 'yes' | 'no' | 'plain' | 'unknown'

export interface NetworkFact {
  readonly what: 'udp' | 'ipv4' | 'ipv6' | 'nat' | 'mapping' | 'page' | 'proxy' | 'vpn' | 'clock'
  readonly mark: FactMark
  readonly words: string
  /** How it was seen; '' = nothing more. */
  readonly more: string
}

export interface NetworkVerdict {
  readonly title: string
  readonly more: string
}

/** One sentence: whether direct paths are to be expected here. */
export function networkVerdict({ Report: report, Steps: steps }: ThisNetwork): NetworkVerdict {
  const kind = verdictKind(report, steps)
  return { title: t(`diagnose.network.${kind}`), more: t(`diagnose.network.${kind}.more`) }
}

function verdictKind(report: ThisNetwork['Report'], steps: ThisNetwork['Steps']): 'page' | 'none' | 'noUdp' | 'good' | 'likely' | 'mapped' | 'hard' {
  if (report.CaptivePortal === true || steps.some(({ Code }) => Code === 'page-found')) return 'page'
  if (!report.UDP) return Object.keys(report.RegionLatency).length === 0 && !steps.some(({ Step, State }) => Step === 'connection' && State === 'good') ? 'none' : 'noUdp'
  if (report.MappingVariesByDestIP === false) return 'good'
  if (report.MappingVariesByDestIP === null) return 'likely'
  return isMapped(report) ? 'mapped' : 'hard'
}

const isMapped = (report: ThisNetwork['Report']): boolean => (report.PortMapping?.Address ?? '') !== ''

/** In the order of the page. */
export function networkFacts(network: ThisNetwork): readonly NetworkFact[] {
  const { Report: report } = network
  const answered = Object.keys(report.RegionLatency).length
  return [
    { what: 'udp', mark: report.UDP ? 'yes' : 'no', words: report.UDP ? t('diagnose.seen.udp.yes') : t('diagnose.seen.udp.no'), more: report.UDP && answered > 0 ? t('diagnose.seen.relays', { n: answered }) : '' },
    family('ipv4', report.IPv4, report.IPv4CanSend, report.GlobalV4),
    family('ipv6', report.IPv6, report.IPv6CanSend, report.GlobalV6),
    natFact(report),
    mappingFact(report),
    report.CaptivePortal === true ? { what: 'page', mark: 'no', words: t('diagnose.seen.page.yes'), more: '' } : stepFact(network, 'page', 'sign-in-page'),
    stepFact(network, 'proxy', 'proxy'),
    stepFact(network, 'vpn', 'other-vpn'),
    stepFact(network, 'clock', 'clock'),
  ]
}

function family(what: 'ipv4' | 'ipv6', works: boolean, canSend: boolean, seenAs: string): NetworkFact {
  if (works) return { what, mark: 'yes', words: t('diagnose.seen.ip.yes'), more: seenAs === '' ? '' : t('diagnose.seen.as', { address: seenAs }) }
  return { what, mark: what === 'ipv4' && canSend ? 'no' : 'plain', words: canSend ? t('diagnose.seen.ip.silent') : t('diagnose.seen.ip.no'), more: '' }
}

function natFact({ MappingVariesByDestIP: varies }: ThisNetwork['Report']): NetworkFact {
  if (varies === null) return { what: 'nat', mark: 'unknown', words: t('diagnose.seen.unknown'), more: '' }
  return varies
    ? { what: 'nat', mark: 'no', words: t('diagnose.seen.nat.hard'), more: t('diagnose.seen.nat.hard.more') }
    : { what: 'nat', mark: 'yes', words: t('diagnose.seen.nat.easy'), more: t('diagnose.seen.nat.easy.more') }
}

function mappingFact(report: ThisNetwork['Report']): NetworkFact {
  const ways = [['UPnP', report.UPnP], ['NAT-PMP', report.PMP], ['PCP', report.PCP]] as const
  if (isMapped(report)) return { what: 'mapping', mark: 'yes', words: t('diagnose.seen.mapping.yes'), more: report.PortMapping!.Address }
  const offered = ways.filter(([, has]) => has === true).map(([name]) => name)
  if (offered.length > 0) return { what: 'mapping', mark: 'plain', words: t('diagnose.seen.mapping.can'), more: offered.join(', ') }
  if (ways.every(([, has]) => has === null)) return { what: 'mapping', mark: 'unknown', words: t('diagnose.seen.unknown'), more: '' }
  return { what: 'mapping', mark: report.MappingVariesByDestIP === true ? 'no' : 'plain', words: t('diagnose.seen.mapping.no'), more: t('diagnose.seen.mapping.asked') }
}

function stepFact({ Steps: steps }: ThisNetwork, what: NetworkFact['what'], name: ThisNetwork['Steps'][number]['Step']): NetworkFact {
  const step = steps.find(({ Step }) => Step === name)
  if (!step || step.State === 'waiting' || step.State === 'skipped') return { what, mark: 'unknown', words: t('diagnose.seen.unknown'), more: '' }
  const id = `diagnose.seen.code.${step.Code}`
  const args = Object.fromEntries(Object.entries(step.Args).map(([key, value]) => [key, typeof value === 'string' ? safeText(value, 120) : value]))
  const mark: FactMark = step.State === 'bad' ? 'no' : step.State === 'unknown' ? 'unknown' : step.Code === 'vpn-beside' ? 'plain' : 'yes'
  return { what, mark, words: isWord(id) ? t(id, args) : safeText(step.Text, 120), more: '' }
}

export interface RelayRow {
  readonly region: number
  readonly code: string
  readonly name: string
  readonly latencyMs: number
  readonly isHome: boolean
  /** Of the slowest one, 0 to 1. */
  readonly share: number
}

/** Those that answered, the nearest first; at most `limit`. */
export function relayRows({ Report: report, Relays: relays }: ThisNetwork, limit = 12): readonly RelayRow[] {
  const known = new Map(relays.map((relay) => [relay.Region, relay]))
  const rows = Object.entries(report.RegionLatency).map(([region, ns]) => ({ region: Number(region), latencyMs: ns / 1e6 })).toSorted((a, b) => a.latencyMs - b.latencyMs).slice(0, limit)
  const slowest = Math.max(1, ...rows.map(({ latencyMs }) => latencyMs))
  return rows.map(({ region, latencyMs }) => {
    const { Code: code = String(region), Name: name = '' } = known.get(region) ?? {}
    return { region, code: safeText(code, 20), name: safeText(name, 60), latencyMs, isHome: region === report.PreferredDERP, share: latencyMs / slowest }
  })
}
