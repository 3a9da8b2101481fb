/**
 * bowline daemon: runs the engine in this process, with tailscaled's own flags.
 */
import { dirname, resolve } from 'node:path'
import { isIp4, parseAddrPort } from '../../engine/base/ip.ts'
import type { AddrPort } from '../../engine/base/ip.ts'
import { WITHOUT_TUN } from '../../localapi/daemon-options.ts'
import type { DaemonOptions } from '../../localapi/daemon-options.ts'
import { VERSION } from '../../localapi/version.ts'
import { errorText } from '../../engine/base/errors.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import type { FlagSpec, Parsed } from '../flags.ts'
import { defaultSocket, defaultStateDir } from '../paths.ts'
import type { System } from '../paths.ts'
import type { Context, Verb } from '../verb.ts'

const FLAGS: FlagSpec = {
  state: { kind: 'text', help: 'state file; mem: keeps nothing', value: 'PATH' },
  statedir: { kind: 'text', help: "directory of the engine's state; one engine each", value: 'DIR' },
  socket: { kind: 'text', help: 'socket to serve', value: 'PATH' },
  port: { kind: 'number', help: 'UDP port for other devices; 0 = any', initial: '0', value: 'PORT' },
  tun: { kind: 'text', help: 'name of the tunnel device: the whole computer is on the network, unless somebody said bowline machine apps; userspace-networking = programs alone; without the flag as last time', value: 'NAME' },
  'socks5-server': { kind: 'text', help: 'serve a SOCKS5 proxy into the network; without an address part on this computer only; off = none', value: '[ADDR]:PORT' },
  'outbound-http-proxy-listen': { kind: 'text', help: 'serve an HTTP proxy and its PAC file; off = none', value: '[ADDR]:PORT' },
  config: { kind: 'text', help: 'settings file to apply at start; optional:PATH need not be there', value: 'PATH' },
  'syspolicy-file': { kind: 'text', help: "device policy to hold beside the computer's own, which goes first", value: 'PATH' },
  verbose: { kind: 'number', help: '1 says more, 2 still more', initial: '0', value: 'N' },
  debug: { kind: 'text', help: 'not served yet', value: 'ADDR:PORT' },
  'no-logs-no-support': { kind: 'bool', help: 'say so to the server; nothing is ever uploaded in any case' },
  'encrypt-state': { kind: 'bool', help: "seal the saved keys with one that the system's keyring holds; without the flag where there is a keyring, with =false never" },
  'start-disconnected': { kind: 'bool', help: 'do not connect before somebody asks, whatever was so when it ended' },
  service: { kind: 'bool', help: "run as the computer's service, as bowline service install has it" },
  operator: { kind: 'text', help: 'with --service: users that may change things, with commas between', value: 'USERS' },
  'operator-group': { kind: 'text', help: 'with --service: the group whose members may change things', value: 'GROUP' },
  cleanup: { kind: 'bool', help: 'take away what an engine that died left on this computer, and end' },
  hold: { kind: 'bool', help: 'with --cleanup: leave what keeps traffic in while an exit node is chosen' },
  version: { kind: 'bool', help: 'show the version, and end' },
}

/** Flags of tailscaled that this engine knows by name and does not serve. */
const NOT_SERVED: readonly string[] = ['bird-socket', 'hardware-attestation']

/** What Linux takes as a device's name, and this engine's word for none. */
const DEVICE_NAME = /^(?:[A-Za-z0-9_-][A-Za-z0-9_.-]{0,14}|userspace-networking)$/

export const daemon: Verb = {
  name: 'daemon',
  group: 'The engine and this command',
  summary: 'run the engine here',
  usage: '[--statedir DIR] [--socket PATH] [--socks5-server localhost:1055] [flags]',
  help: "Runs until it is told to end (Ctrl-C, SIGTERM). The flags are tailscaled's. Logs go to standard error; a line says when it is ready.\nNo admin rights are needed.\nWithout a flag for either proxy, one for both languages is served at a port of this computer alone, 1055 or the next that is free, and stays there: see bowline proxy. Everybody who works on this computer can use it; --socks5-server=off switches it off.",
  flags: { ...FLAGS, ...Object.fromEntries(NOT_SERVED.map((name) => [name, { kind: 'text', help: '', sameAs: `unserved-${name}` } as const])) },
  async run({ args, terminal }: Context): Promise<ExitCode> {
    if (args.bool('version')) {
      terminal.out(`${VERSION}\n`)
      return EXIT.ok
    }
    if (args.bool('cleanup')) return await cleanUp(args.bool('hold'), terminal)
    const options = daemonOptions(args, terminal.system)
    // The engine is large; only this verb needs it.
    const { runDaemon } = await import('../../engine/daemon.ts')
    return (await runDaemon(options)) as ExitCode
  },
}

/** After a service that failed traffic stays kept in: nobody asked for it to end, and it is started again. */
async function cleanUp(hold: boolean, terminal: Context['terminal']): Promise<ExitCode> {
  const { env } = terminal.system
  const result = env['SERVICE_RESULT'] ?? 'success'
  const { cleanUpComputer } = await import('../../engine/daemon.ts')
  try {
    const had = await cleanUpComputer({ hold: hold || result !== 'success', busAddress: env['DBUS_SYSTEM_BUS_ADDRESS'], log: (line) => terminal.err(`${line}\n`) })
    terminal.out(had ? 'What an engine had left on this computer is taken away.\n' : 'Nothing to clean up.\n')
    return EXIT.ok
  } catch (error) {
    const { code } = error as { code?: string }
    throw new CliError(code === 'access-denied' ? EXIT.denied : EXIT.failed, code ?? 'failed', errorText(error))
  }
}

/** What the flags ask for. Throws a usage error for what is not served. */
export function daemonOptions(args: Parsed, system: System): DaemonOptions {
  if (args.words.length > 0) throw usageError(`daemon takes flags only; what is ${JSON.stringify(args.words[0])}?`)
  for (const name of NOT_SERVED) if (args.has(`unserved-${name}`)) throw usageError(`--${name} is not served by this engine. Leave it out.`)
  if (args.text('debug') !== '') throw usageError('--debug is not served yet. Leave it out.')
  const tun = args.text('tun')
  if (args.has('tun') && !DEVICE_NAME.test(tun)) throw usageError(`--tun wants the name of a device such as bowline0, or ${WITHOUT_TUN}, not ${JSON.stringify(tun)}.`)
  const port = args.number('port')
  if (port > 65535) throw usageError('--port wants a number up to 65535.')
  const state = args.text('state')
  const inMemory = state === 'mem:'
  const stateDir = args.text('statedir') || (state !== '' && !inMemory ? dirname(resolve(state)) : defaultStateDir(system))
  const isPipe = args.text('socket').startsWith('\\\\.\\pipe\\')
  return {
    stateDir: resolve(stateDir),
    statePath: state === '' ? undefined : inMemory ? state : resolve(state),
    socketPath: args.text('socket') === '' ? defaultSocket(system) : isPipe ? args.text('socket') : resolve(args.text('socket')),
    port,
    socks5: listenAddress('socks5-server', args),
    httpProxy: listenAddress('outbound-http-proxy-listen', args),
    defaultProxies: !args.has('socks5-server') && !args.has('outbound-http-proxy-listen'),
    configPath: configPath(args.text('config')),
    ...(args.text('syspolicy-file') === '' ? {} : { policyPath: resolve(args.text('syspolicy-file')) }),
    verbose: args.number('verbose'),
    debug: undefined,
    noLogsNoSupport: args.bool('no-logs-no-support'),
    ...(tun === '' ? {} : { tun }),
    ...(args.bool('start-disconnected') ? { startDisconnected: true } : {}),
    ...serviceOf(args),
    ...(args.has('encrypt-state') ? { encryptState: args.bool('encrypt-state') } : {}),
  }
}

/** Whom a service lets change things. Throws a usage error where these words belong to no service. */
function serviceOf(args: Parsed): Pick<DaemonOptions, 'service'> {
  const [operators, group] = [args.text('operator').split(',').map((user) => user.trim()).filter((user) => user !== ''), args.text('operator-group')]
  if (args.bool('service')) return { service: { operators, group } }
  if (operators.length > 0 || group !== '') throw usageError('--operator and --operator-group go with --service. For an engine of your own: bowline set --operator=USER.')
  return {}
}

function configPath(text: string): string | undefined {
  if (text === '') return undefined
  if (text === 'vm:user-data' || text === 'optional:vm:user-data') throw usageError("--config=vm:user-data is not served: give a file's path.")
  return text.startsWith('optional:') ? `optional:${resolve(text.slice('optional:'.length))}` : resolve(text)
}

/** "host:port", ":port" or "port"; without a host it is loopback, so that nobody else can use it by accident. */
function listenAddress(flag: string, args: Parsed): AddrPort | undefined {
  const text = args.text(flag)
  if (text === '' || text === 'off') return undefined
  const bare = /^:?(\d{1,5})$/.exec(text)?.[1]
  const named = /^localhost:(\d{1,5})$/i.exec(text)?.[1]
  const port = bare ?? named
  const at = port !== undefined ? parseAddrPort(`127.0.0.1:${port}`) : parseAddrPort(text)
  if (!at) throw usageError(`--${flag} wants an address such as localhost:1055${text.includes(':') && !isIp4(text) ? ' or [::1]:1055' : ''}, not ${JSON.stringify(text)}.`)
  return at
}
