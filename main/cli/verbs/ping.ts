/**
 * bowline ping: does a device answer, how fast, and which way; and if packets are relayed, why.
 *
 * Pings go out a second apart. With --until-direct the next one goes as soon as the engine says that the path is direct.
 */
import { canonicalIp } from '../../engine/base/ip.ts'
import type { PingResult, PingType } from '../../localapi/types.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import type { Context, Verb } from '../verb.ts'
import { printJsonLine } from '../verb.ts'
import { pause } from '../pause.ts'
import { printable } from '../text.ts'
import { milliseconds } from '../words.ts'
import { findDevice } from './find-device.ts'
import { LAYERS, LayerTallies } from './ping-layers.ts'
import { PingTally, wayOf } from './ping-tally.ts'

const PING_TYPE = { tsmp: 'TSMP', icmp: 'ICMP', peerapi: 'peerapi' } as const
const MAX_BYTES = 65_467

const PAUSE_MS = 1_000
/** The engine answers in any case after 10 s. */
const NO_LIMIT_MS = 30_000

export const ping: Verb = {
  name: 'ping',
  group: 'Find out why',
  takes: 'device',
  json: 'one object a line for each ping, as the local API gives it, with Seq and Type; the last one is {"Summary": …}',
  summary: 'ping a device and say which way packets go',
  usage: '[-c N] [--timeout TIME] [--until-direct] [--tsmp|--icmp|--peerapi|--all] DEVICE',
  help:
    'Pings a device by name or address, or an address behind one that routes it. The ordinary ping (disco) finds out the way to the device, so it stops as soon as an answer came directly; --until-direct=false goes on.\n' +
    '--tsmp goes through the tunnel and is answered by the other engine; --icmp is answered by its network stack, if its rules let it; --peerapi by the web server that it has for other devices. --all asks all four once, side by side: the first that is not answered says where to look.\n' +
    'The last line sums up, after Ctrl-C too: how many were answered, how fast, and for what is still relayed, why.\n' +
    'Ends with 0 when there was an answer (with --until-direct: a direct one; with --all: of every kind), else with 1, or 130 after Ctrl-C.',
  examples: [
    ['bowline ping laptop', 'find out which way packets go to laptop'],
    ['bowline ping --until-direct -c 30 laptop', 'wait half a minute for a direct path, and fail without one'],
    ['bowline ping --all laptop', 'see which layer does not answer'],
  ],
  flags: {
    c: { kind: 'number', help: 'how many pings; 0 = until stopped', initial: '10', value: 'N' },
    timeout: { kind: 'duration', help: 'how long to wait for each answer; 0 = as long as the engine does', initial: '5s' },
    'until-direct': { kind: 'bool', help: 'stop at the first direct answer, and fail without one' },
    tsmp: { kind: 'bool', help: 'ask the other engine through the tunnel' },
    icmp: { kind: 'bool', help: 'ask the other network stack through the tunnel' },
    peerapi: { kind: 'bool', help: "ask the other engine's web server" },
    all: { kind: 'bool', help: 'ask all four ways, side by side, once unless -c says more' },
    size: { kind: 'number', help: `bytes of the ping's datagram, up to ${MAX_BYTES} (ordinary ping only)`, value: 'BYTES' },
    verbose: { kind: 'bool', help: '', hidden: true },
  },
  async run(context: Context) {
    const { api, args } = context
    const name = args.words[0]
    if (name === undefined || args.words.length > 1) throw usageError('ping wants one device: bowline ping NAME')
    const kinds = (['tsmp', 'icmp', 'peerapi', 'all'] as const).filter((kind) => args.bool(kind))
    if (kinds.length > 1) throw usageError(`Give one of ${kinds.map((kind) => `--${kind}`).join(' and ')}, not both.`)
    const kind = kinds[0]
    if (args.has('size') && kind !== undefined) throw usageError(`--size is for the ordinary ping only, not for --${kind}.`)
    if (args.has('size') && args.number('size') > MAX_BYTES) throw usageError(`--size: a ping has ${MAX_BYTES} bytes at most.`)
    if (args.bool('until-direct') && kind !== undefined) throw usageError(`--until-direct is for the ordinary ping only: --${kind} does not say which way packets go.`)
    const current = await api.call('status')
    if (current.BackendState === 'NeedsLogin') throw new CliError(EXIT.signIn, 'signed-out', 'This device is signed out. Sign in with: bowline up')
    if (current.BackendState !== 'Running') throw new CliError(EXIT.notConnected, 'not-connected', 'This device is not connected. Connect with: bowline up')
    const device = findDevice(current, name)
    const ip = canonicalIp(name) ?? device?.TailscaleIPs?.[0]
    if (ip === undefined) throw new CliError(EXIT.failed, 'no-address', `${name} has no address.`)
    if (kind === 'all') return await allLayers(context, ip)
    return await series(context, ip, kind === undefined ? 'disco' : PING_TYPE[kind])
  },
}

async function series(context: Context, ip: string, type: PingType): Promise<ExitCode> {
  const { args, json, terminal } = context
  const mustBeDirect = args.bool('until-direct')
  const untilDirect = mustBeDirect || (type === 'disco' && !args.has('until-direct'))
  const tally = new PingTally()
  let last: PingResult | undefined
  for (let seq = 1; !terminal.interrupted.aborted; seq++) {
    const startedMs = performance.now()
    const result = await once(context, ip, type)
    if (result === undefined) break
    tally.add(result)
    if (json) printJsonLine(terminal, { Seq: seq, Type: type, ...result })
    else terminal.out(`${sentence(result)}\n`)
    if (result.IsLocalIP === true) return EXIT.ok
    if (result.Err === '') last = result
    if (isFinal(result) || (untilDirect && result.Endpoint !== '') || seq === args.number('c')) break
    await nextTurn(context, ip, PAUSE_MS - (performance.now() - startedMs), untilDirect && result.Err === '')
  }
  await sumUp(context, tally, type, last)
  if (tally.answered > 0 && (!mustBeDirect || last?.Endpoint !== '')) return EXIT.ok
  return terminal.interrupted.aborted ? EXIT.interrupted : EXIT.failed
}

async function allLayers(context: Context, ip: string): Promise<ExitCode> {
  const { args, json, terminal } = context
  const count = args.has('c') ? args.number('c') : 1
  const layers = new LayerTallies()
  for (let seq = 1; !terminal.interrupted.aborted; seq++) {
    const startedMs = performance.now()
    const results = await Promise.all(LAYERS.map(async (type) => [type, await once(context, ip, type)] as const))
    const whole = results.flatMap(([type, result]) => (result ? [[type, result] as const] : []))
    if (whole.length < LAYERS.length) break
    const line = layers.add(whole)
    if (json) for (const [type, result] of whole) printJsonLine(terminal, { Seq: seq, Type: type, ...result })
    else terminal.out(`${whole[0]![1].IsLocalIP === true ? sentence(whole[0]![1]) : line}\n`)
    if (whole[0]![1].IsLocalIP === true) return EXIT.ok
    if (isFinal(whole[0]![1]) || seq === count) break
    await pause(PAUSE_MS - (performance.now() - startedMs), terminal.interrupted)
  }
  if (json) printJsonLine(terminal, { Summary: Object.fromEntries(LAYERS.map((type) => [type, layers.tally(type).summary()])) })
  else if (layers.tally('disco').sent > 0) terminal.out(`${layers.words()}\n`)
  if (layers.firstBroken === undefined) return EXIT.ok
  return terminal.interrupted.aborted ? EXIT.interrupted : EXIT.failed
}

/** One ping; undefined when Ctrl-C ended it. */
async function once({ api, args, terminal }: Context, ip: string, type: PingType): Promise<PingResult | undefined> {
  const query = { ip, type, ...(args.has('size') ? { size: args.number('size') } : {}) }
  try {
    return await api.call('ping', { query, timeoutMs: args.durationMs('timeout') || NO_LIMIT_MS, signal: terminal.interrupted })
  } catch (error) {
    if (!(error instanceof CliError) || (error.code !== 'timeout' && error.code !== 'interrupted')) throw error
    if (error.code === 'interrupted') return undefined
    return { IP: ip, NodeIP: '', NodeName: '', Err: 'no answer in time', ErrCode: 'timeout', LatencySeconds: 0, Endpoint: '', PeerRelay: '', DERPRegionID: 0, DERPRegionCode: '' }
  }
}

/** Waits until it is time for the next ping, or until the path is direct. */
async function nextTurn({ api, terminal }: Context, ip: string, waitMs: number, orDirect: boolean): Promise<void> {
  const timeout = Math.ceil(waitMs)
  if (timeout <= 0) return
  const untilMs = performance.now() + timeout
  if (orDirect) {
    const known = await api.call('waitDirect', { query: { ip, timeout }, timeoutMs: timeout + 500, signal: terminal.interrupted }).catch(() => undefined)
    if (known?.direct === true) return
  }
  await pause(Math.max(0, untilMs - performance.now()), terminal.interrupted)
}

/** Whether asking again is of no use: a stock daemon gives no code, and its own command does not ask again. */
function isFinal({ Err, ErrCode }: PingResult): boolean {
  return Err !== '' && ErrCode !== 'timeout' && ErrCode !== 'connection-refused' && ErrCode !== 'io'
}

async function sumUp({ api, json, terminal }: Context, tally: PingTally, type: PingType, last: PingResult | undefined): Promise<void> {
  if (tally.sent === 0) return
  const isRelayed = type === 'disco' && last !== undefined && last.Endpoint === ''
  const why = isRelayed ? await whyRelayed(api, last) : undefined
  if (json) return printJsonLine(terminal, { Summary: { ...tally.summary(), ...(type === 'disco' && last ? { Direct: !isRelayed } : {}), ...(why === undefined ? {} : { Why: why }) } })
  terminal.out(`${tally.words()}${last === undefined || type !== 'disco' ? '' : `; ${wayOf(last)}`}\n`)
  if (why !== undefined) terminal.out(`${printable(why)}\n`)
}

/** The engine's sentence about the path; undefined where it has none. */
async function whyRelayed(api: Context['api'], { NodeIP }: PingResult): Promise<string | undefined> {
  return (await api.call('path', { query: { peer: NodeIP }, timeoutMs: 5_000 }).catch(() => undefined))?.why
}

function sentence(result: PingResult): string {
  if (result.IsLocalIP === true) return `${result.IP} is this device`
  if (result.Err !== '') return `no answer from ${printable(result.NodeName || result.IP)}: ${printable(result.Err)}`
  return `answer from ${printable(result.NodeName)} (${result.NodeIP}) ${wayOf(result)}, ${milliseconds(result.LatencySeconds * 1_000)}`
}
