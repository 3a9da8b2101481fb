/**
 * bowline netcheck: what the network here lets through, as the engine measures it.
 */
import type { DerpMap } from '../../engine/core/tailcfg/types.ts'
import { EXIT } from '../exit.ts'
import type { Context, Verb } from '../verb.ts'
import { pause } from '../pause.ts'
import { printJson, printJsonLine } from '../verb.ts'
import { noWords } from '../words-given.ts'
import { printable, table } from '../text.ts'

export const netcheck: Verb = {
  name: 'netcheck',
  group: 'Find out why',
  summary: 'measure the network: UDP, addresses seen outside, relays',
  usage: '[--every TIME]',
  help: 'Asks the engine to measure now. Relays are measured only while connected: before that none is known.',
  json: "the engine's report; with --every one a line",
  flags: {
    every: { kind: 'duration', help: 'measure again and again, with this time between; until Ctrl-C', initial: '0s' },
    format: { kind: 'choice', help: 'as the official command has it', choices: ['json', 'json-line'] },
    verbose: { kind: 'bool', help: '', hidden: true },
  },
  async run({ api, args, json, terminal }: Context) {
    noWords('netcheck', args)
    const everyMs = args.durationMs('every')
    const asLines = args.text('format') === 'json-line' || everyMs > 0
    for (;;) {
      const report = await api.call('netcheck', everyMs > 0 ? { signal: terminal.interrupted } : {})
      if (json || args.has('format')) (asLines ? printJsonLine : printJson)(terminal, report)
      else terminal.out(`${describe(report as Report, await api.call('derpMap'))}\n`)
      if (everyMs === 0) return EXIT.ok
      await pause(everyMs, terminal.interrupted)
      if (terminal.interrupted.aborted) return EXIT.ok
      if (!json) terminal.out('\n')
    }
  },
}

/** What is shown of the engine's report; anything may be missing before the first measurement. */
export interface Report {
  readonly udp?: boolean
  readonly ipv4?: boolean
  readonly ipv6?: boolean
  readonly osHasIpv6?: boolean
  readonly mappingVariesByDestIp?: boolean | null
  readonly preferredDerp?: number
  readonly regionLatencyMs?: Readonly<Record<string, number>>
  readonly globalV4?: { readonly ip: string; readonly port: number }
  readonly globalV6?: { readonly ip: string; readonly port: number }
}

/** The report in words, the relays nearest first. */
export function describe(report: Report | null, map: DerpMap | null): string {
  if (!report || report.udp === undefined) return 'Nothing was measured: the relays are known only while connected.'
  const relayName = (id: string): string => printable(map?.Regions[id]?.RegionName || `relay ${id}`)
  const seen = (at: Report['globalV4']): string => (at ? `, seen outside as ${at.ip.includes(':') ? `[${at.ip}]` : at.ip}:${at.port}` : '')
  const latencies = Object.entries(report.regionLatencyMs ?? {}).sort(([, a], [, b]) => a - b)
  const home = String(report.preferredDerp ?? 0)
  const facts: [string, string][] = [
    ['UDP', report.udp ? 'gets out' : 'does not get out: everything goes through a relay'],
    ['IPv4', report.ipv4 ? `works${seen(report.globalV4)}` : 'does not work'],
    ['IPv6', report.ipv6 ? `works${seen(report.globalV6)}` : report.osHasIpv6 ? 'does not get out, though this system has it' : 'is off on this system'],
    ['NAT', natWords(report.mappingVariesByDestIp)],
    ['Home relay', home === '0' ? 'none yet' : relayName(home)],
  ]
  const relays = latencies.map(([id, ms]): [string, string] => [`  ${relayName(id)}`, `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`])
  return table([...facts, ...(relays.length > 0 ? [['Round trips to relays', ''] as [string, string], ...relays] : [])])
}

function natWords(varies: boolean | null | undefined): string {
  if (varies === undefined || varies === null) return 'not known: it takes answers from two relays'
  return varies ? 'gives each destination its own port (hard: direct paths need the other side to be easy)' : 'keeps one port for all destinations (easy)'
}
