/**
 * bowline netcheck: what the network here lets through, as the engine measures it, as a verdict and the facts behind it.
 */
import type { NetcheckJson } from '../../engine/core/netcheck/report.ts'
import type { DerpMap } from '../../engine/core/tailcfg/types.ts'
import { EXIT } from '../exit.ts'
import type { Context, Verb } from '../verb.ts'
import { pause } from '../pause.ts'
import { printJson, printJsonLine } from '../verb.ts'
import { noWords } from '../words-given.ts'
import { printable, styled, table } from '../text.ts'

const NOT_CONNECTED = 'Nothing was measured: the relays are known only while connected.'

export const netcheck: Verb = {
  name: 'netcheck',
  group: 'Find out why',
  summary: 'measure the network: UDP, addresses seen outside, relays',
  usage: '[--every TIME]',
  help:
    'Asks the engine to measure now, over the sockets that it uses for everything else. Relays are measured only while connected: before that none is known.\n' +
    'With --every the first measurement is of all relays, later ones of the home relay and the nearest, and of all every five minutes.',
  json: "the engine's report, its fields named as by the official command; with --every one a line",
  examples: [
    ['bowline netcheck', 'what this network lets through'],
    ['bowline netcheck --every=5s', 'again and again, until Ctrl-C'],
    ['bowline netcheck --json', 'for programs'],
  ],
  flags: {
    every: { kind: 'duration', help: 'measure again and again, with this time between; until Ctrl-C', initial: '0s' },
    format: { kind: 'choice', help: 'as the official command has it', choices: ['json', 'json-line'] },
    verbose: { kind: 'bool', help: '', hidden: true },
  },
  async run({ api, args, json, terminal }: Context) {
    noWords('netcheck', args)
    const everyMs = args.durationMs('every')
    const asLines = args.text('format') === 'json-line' || everyMs > 0
    for (let full = true; ; full = false) {
      const report = await api.call('netcheck', { query: { full: String(full) }, ...(everyMs > 0 ? { signal: terminal.interrupted } : {}) })
      const map = await api.call('derpMap')
      if (json || args.has('format')) (asLines ? printJsonLine : printJson)(terminal, report)
      else terminal.out(`${describe(report, map)}\n`)
      if (everyMs === 0) return hasRelays(map) ? EXIT.ok : EXIT.notConnected
      await pause(everyMs, terminal.interrupted)
      if (terminal.interrupted.aborted) return EXIT.ok
      if (!json) terminal.out('\n')
    }
  },
}

/** The report in words: the verdict, the facts, the relays nearest first. */
export function describe(report: NetcheckJson, map: DerpMap | null): string {
  if (!hasRelays(map)) return NOT_CONNECTED
  const facts: [string, string][] = [
    ['UDP', report.UDP ? 'gets out' : 'does not get out'],
    ['IPv4', family(report.IPv4, report.GlobalV4, report.IPv4CanSend ? 'no answer' : 'nothing can be sent')],
    ['IPv6', family(report.IPv6, report.GlobalV6, report.OSHasIPv6 ? (report.IPv6CanSend ? 'no answer' : 'this system has it, this network does not') : 'is off on this system')],
    ['NAT', natWords(report.MappingVariesByDestIP)],
    ['Port mapping', portMapWords(report)],
    ['Sign-in page', portalWords(report)],
    ['Home relay', report.PreferredDERP === 0 ? 'none yet' : relayName(map, String(report.PreferredDERP))],
  ]
  return `${styled('strong', verdict(report))}\n\n${table([...facts, ['Relays, by round trip', ''], ...relayRows(report, map)])}`
}

function hasRelays(map: DerpMap | null): map is DerpMap {
  return map !== null && Object.keys(map.Regions ?? {}).length > 0
}

/** One sentence of what it means, and what would help. */
function verdict(report: NetcheckJson): string {
  if (report.CaptivePortal === true) return 'This network holds traffic back until somebody signs in. Open any web page in a browser and sign in there.'
  const measured = Object.keys(report.RegionLatency).length > 0
  if (!report.UDP && !measured) return 'No relay answers in any way. Check that this computer is online.'
  if (!report.UDP) return 'This network lets no UDP out, so everything goes through a relay: it works, only slower. Another network, or UDP allowed out of this one, makes direct paths possible.'
  if (report.MappingVariesByDestIP !== true) return 'Direct paths are possible from this network.'
  if (report.PortMapping ? report.PortMapping.Address !== '' : report.UPnP === true || report.PMP === true || report.PCP === true) return 'Direct paths are possible from this network: its router is a hard one, but it passes on ports when asked.'
  return 'Direct paths from this network work only with devices whose own network is easy: the router here gives each destination its own port.'
}

function family(works: boolean, seen: string, otherwise: string): string {
  return works ? `works${seen === '' ? '' : `, seen outside as ${seen}`}` : otherwise
}

function natWords(varies: boolean | null): string {
  if (varies === null) return 'not known: it takes answers from two relays'
  return varies ? 'gives each destination its own port (hard)' : 'keeps one port for all destinations (easy)'
}

function portMapWords({ UPnP, PMP, PCP, PortMapping }: NetcheckJson): string {
  const why = PortMapping ? `: ${printable(PortMapping.Why)}` : ''
  if (UPnP === null && PMP === null && PCP === null) return `not asked${why}`
  const offered = [UPnP === true ? 'UPnP' : '', PMP === true ? 'NAT-PMP' : '', PCP === true ? 'PCP' : ''].filter((name) => name !== '')
  return offered.length > 0 ? offered.join(', ') + why : 'the router offers none'
}

function portalWords({ UDP, CaptivePortal }: NetcheckJson): string {
  if (CaptivePortal === null) return UDP ? 'none: UDP gets out' : 'not known: no relay could be asked'
  return CaptivePortal ? 'somebody has to sign in' : 'none'
}

function relayName(map: DerpMap, id: string): string {
  return printable(map.Regions[id]?.RegionName || map.Regions[id]?.RegionCode || `relay ${id}`)
}

function relayRows(report: NetcheckJson, map: DerpMap): [string, string][] {
  const far = Number.POSITIVE_INFINITY
  const { RegionLatency, HTTPSLatency = {} } = report
  const ids = Object.keys(map.Regions).toSorted((a, b) => {
    const [one, other] = [RegionLatency[a] ?? far, RegionLatency[b] ?? far]
    return one === other ? Number(a) - Number(b) : one < other ? -1 : 1
  })
  return ids.map((id): [string, string] => {
    const nanoseconds = RegionLatency[id]
    if (nanoseconds === undefined) return [`  ${relayName(map, id)}`, 'no answer']
    const ms = nanoseconds / 1e6
    const how = report.UDP ? '' : HTTPSLatency[id] === nanoseconds ? ', by HTTPS' : ', by ICMP'
    return [`  ${relayName(map, id)}`, `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms${how}`]
  })
}
