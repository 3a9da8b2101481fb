/**
 * bowline ping: does a device answer, how fast, and which way.
 */
import { canonicalIp } from '../../engine/base/ip.ts'
import type { PingResult, PingType } from '../../localapi/types.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { pause } from '../pause.ts'
import { printable } from '../text.ts'
import { milliseconds } from '../words.ts'
import { findDevice } from './find-device.ts'

const PING_TYPE = { tsmp: 'TSMP', icmp: 'ICMP', peerapi: 'peerapi' } as const

const PAUSE_MS = 1_000

export const ping: Verb = {
  name: 'ping',
  group: 'Find out why',
  takes: 'device',
  json: '[one answer each, as the local API gives it]',
  summary: 'ping a device and say which way packets go',
  usage: '[-c N] [--timeout TIME] [--until-direct=false] [--tsmp|--icmp] DEVICE',
  help:
    'Pings a device by name or address. The ordinary ping finds out the way to the device, so it stops as soon as an answer came directly.\n' +
    '--tsmp goes through the tunnel and is answered by the other engine; --icmp is answered by its network stack, if its rules let it.\n' +
    'Ends with 0 when there was an answer; with --until-direct only when one came directly.',
  flags: {
    c: { kind: 'number', help: 'how many pings; 0 = until stopped', initial: '10', value: 'N' },
    timeout: { kind: 'duration', help: 'how long to wait for each answer', initial: '5s' },
    'until-direct': { kind: 'bool', help: 'stop at the first direct answer, and fail without one' },
    tsmp: { kind: 'bool', help: 'ask the other engine through the tunnel' },
    peerapi: { kind: 'bool', help: "ask the other engine's web server" },
    verbose: { kind: 'bool', help: '', hidden: true },
    icmp: { kind: 'bool', help: 'ask the other network stack through the tunnel' },
    size: { kind: 'number', help: 'bytes of the ping (ordinary ping only)', value: 'BYTES' },
  },
  async run(context: Context) {
    const { api, args } = context
    const name = args.words[0]
    if (name === undefined || args.words.length > 1) throw usageError('ping wants one device: bowline ping NAME')
    const kinds = (['tsmp', 'icmp', 'peerapi'] as const).filter((kind) => args.bool(kind))
    if (kinds.length > 1) throw usageError(`Give one of ${kinds.map((kind) => `--${kind}`).join(' and ')}, not both.`)
    const type: PingType = kinds[0] === undefined ? 'disco' : PING_TYPE[kinds[0]]
    const current = await api.call('status')
    if (current.BackendState !== 'Running') throw new CliError(EXIT.notConnected, 'not-connected', 'This device is not connected. Connect with: bowline up')
    const device = findDevice(current, name)
    const address = canonicalIp(name) ?? device?.TailscaleIPs?.[0]
    if (address === undefined) throw new CliError(EXIT.failed, 'no-address', `${name} has no address.`)
    return await series(context, address, type)
  },
}

async function series({ api, args, json, terminal }: Context, ip: string, type: PingType): Promise<ExitCode> {
  const count = args.number('c')
  const untilDirect = args.bool('until-direct') || (type === 'disco' && !args.has('until-direct'))
  const timeoutMs = Math.max(args.durationMs('timeout'), 1)
  const results: PingResult[] = []
  let answered = false
  let direct = false
  for (let i = 0; (count === 0 || i < count) && !terminal.interrupted.aborted; i++) {
    if (i > 0) await pause(PAUSE_MS, terminal.interrupted)
    const query = { ip, type, ...(args.has('size') ? { size: args.number('size') } : {}) }
    const result = await api.call('ping', { query, timeoutMs }).catch((error: unknown) => timedOut(error, ip))
    results.push(result)
    if (!json) terminal.out(`${sentence(result)}\n`)
    if (result.IsLocalIP === true) break
    if (result.Err !== '') continue
    answered = true
    direct ||= result.Endpoint !== ''
    if (untilDirect && direct) break
  }
  if (json) printJson(terminal, results)
  else if (answered && !direct && args.bool('until-direct')) terminal.err('no direct path was found\n')
  if (results.some((result) => result.IsLocalIP === true)) return EXIT.ok
  return answered && (direct || !args.bool('until-direct')) ? EXIT.ok : EXIT.failed
}

function timedOut(error: unknown, ip: string): PingResult {
  if (!(error instanceof CliError) || error.code !== 'timeout') throw error
  return { IP: ip, NodeIP: '', NodeName: '', Err: 'no answer in time', LatencySeconds: 0, Endpoint: '', PeerRelay: '', DERPRegionID: 0, DERPRegionCode: '' }
}

function sentence(result: PingResult): string {
  if (result.IsLocalIP === true) return `${result.IP} is this device`
  if (result.Err !== '') return `no answer from ${printable(result.NodeName || result.IP)}: ${printable(result.Err)}`
  const way = result.Endpoint !== '' ? `direct ${result.Endpoint}` : result.DERPRegionID !== 0 ? `relayed, ${printable(result.DERPRegionCode)}` : 'through the tunnel'
  return `answer from ${printable(result.NodeName)} (${result.NodeIP}) ${way}, ${milliseconds(result.LatencySeconds * 1_000)}`
}
