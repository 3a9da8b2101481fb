/**
 * bowline service: the engine as a service of this computer: installed once with admin rights, then driven by ordinary users.
 */
import { existsSync, rmSync } from 'node:fs'
import { isInstalled } from '../../client/service-place.ts'
import type { Status } from '../../localapi/types.ts'
import { VERSION } from '../../localapi/version.ts'
import { LocalApi } from '../client.ts'
import { CliError, EXIT, unavailable, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import { parseFlags, type Parsed } from '../flags.ts'
import { serviceOf } from '../paths.ts'
import { commandOf, COPY_DIR, ownBundle } from '../service/bundle.ts'
import { GROUP, install as installHere, shapeOf, STATE_DIR, uninstall as uninstallHere } from '../service/install.ts'
import { launchdPlan } from '../service/launchd-plan.ts'
import { giveBack, logOutAll, moveIn } from '../service/move.ts'
import { planText, type ServicePlan } from '../service/plan.ts'
import { isUserWord, readRecord } from '../service/record.ts'
import { runSystem } from '../service/run-system.ts'
import { systemdPlan } from '../service/systemd-plan.ts'
import { findUser, type User } from '../service/users.ts'
import { windowsPlan } from '../service/windows-plan.ts'
import { printable } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'
import { daemon } from './daemon.ts'

const READY_MS = 60_000
const READY_STEP_MS = 50

const ROOT_FLAG = { root: { kind: 'text', help: 'put the files below this folder, and run nothing: for images', value: 'DIR', takes: 'folder' } } as const

const install: Verb = {
  name: 'install',
  summary: 'install and start it, or renew it',
  usage: '[--operator USER]',
  help:
    'Wants admin rights once. The user who asks for them (sudo, pkexec) may then use every command without; so may members of the group bowline, from their next session on.\n' +
    'What is not where only root can change it is copied to /usr/lib/bowline. An engine that this user runs already gives its sign-in to the service: the device stays the same. Done again it renews what is there.',
  examples: [['sudo bowline service install', 'install, or renew after an update'], ['bowline service install --plan', 'show what would be written, and write nothing']],
  flags: {
    operator: { kind: 'text', help: 'who may use it, by name or number; without it, who asked for the admin rights', value: 'USER' },
    plan: { kind: 'bool', help: 'show what would be written and run' },
    'from-package': { kind: 'bool', help: 'renew what is installed, as packages do after an update', hidden: true },
    ...ROOT_FLAG,
  },
  async run(context) {
    const { args, json, terminal } = context
    noWords('service install', args)
    const operator = operatorOf(args, terminal.system.env)
    if (args.bool('plan')) return print(context, planOf(terminal.system.platform, operator))
    assertLinux(terminal.system.platform)
    assertRoot(context, 'install')
    if (args.bool('from-package') && !isInstalled(serviceOf(terminal.system))) return EXIT.ok
    const say = (line: string): void => (json ? undefined : terminal.out(`${line}\n`))
    const shape = installHere({ bundle: ownBundle(), operators: operator ? [operator.name] : [], root: args.text('root'), say })
    if (args.text('root') !== '') return EXIT.ok
    const moved = operator ? await moveIn(operator, shape.socket) : undefined
    if (moved !== undefined) say(moved.kind === 'moved' ? `The device of ${operator!.name} is the service's now, with the same name and address.` : `The device of ${operator!.name} stayed with their own engine: ${moved.why}`)
    if (json) printJson(terminal, { Installed: true, Socket: shape.socket, Operators: shape.operators, Group: shape.group, ...(moved ? { Moved: moved.kind === 'moved', ...(moved.kind === 'stayed' ? { Why: moved.why } : {}) } : {}) })
    say(`The service runs. ${shape.operators.length === 0 ? 'Let users use it with: sudo bowline service install --operator=USER' : `${shape.operators.join(', ')} can use it without admin rights: bowline status`}`)
    return EXIT.ok
  },
}

const uninstall: Verb = {
  name: 'uninstall',
  summary: 'stop it and take it away',
  usage: '[--keep-node | --purge]',
  help:
    'Wants admin rights. Routes, names and firewall rules of the service are undone, and its unit, files and group go. What it keeps (its sign-in) stays in /var/lib/bowline for the next installation, unless one of the flags says otherwise.',
  examples: [['sudo bowline service uninstall', 'the sign-in stays on disk'], ['sudo bowline service uninstall --keep-node', 'the device goes on in an engine of this user, which must run'], ['sudo bowline service uninstall --purge', 'sign out everywhere, and leave nothing']],
  flags: {
    'keep-node': { kind: 'bool', help: 'give the sign-in to the own engine of the user who asked for the admin rights (bowline daemon runs it)' },
    to: { kind: 'text', help: "with --keep-node: that engine's socket, when it is not the usual one", value: 'PATH', takes: 'file' },
    purge: { kind: 'bool', help: 'sign out of every account, then delete what the service keeps' },
    forget: { kind: 'bool', help: 'with --purge: delete it also where a server cannot be told' },
    'from-package': { kind: 'bool', help: 'as packages do before they go', hidden: true },
    ...ROOT_FLAG,
  },
  async run(context) {
    const { args, json, terminal } = context
    noWords('service uninstall', args)
    if (args.bool('keep-node') && args.bool('purge')) throw usageError('--keep-node and --purge exclude each other.')
    assertLinux(terminal.system.platform)
    assertRoot(context, 'uninstall')
    const root = args.text('root')
    const api = new LocalApi(serviceOf(terminal.system).socket, 'service')
    const say = (line: string): void => (json ? undefined : terminal.out(`${line}\n`))
    if (args.bool('keep-node')) await giveBack(api, operatorOf(args, terminal.system.env), args.text('to'))
    if (args.bool('purge') && root === '') await logOutAll(api, args.bool('forget'))
    await uninstallHere({ root, say, cleanUp: () => cleanUp(context) })
    const kept = `${root}${STATE_DIR}`
    if (args.bool('purge')) rmSync(kept, { recursive: true, force: true })
    else if (existsSync(kept)) say(`What it kept stays in ${kept}; delete it with: sudo bowline service uninstall --purge`)
    if (json) printJson(terminal, { Installed: false, Kept: existsSync(kept) ? kept : '' })
    return EXIT.ok
  },
}

const status: Verb = {
  name: 'status',
  summary: 'whether it is installed, runs, and who may use it',
  usage: '[--json]',
  help: 'Ends with 0 when the service answers, 3 when it is installed and does not, 8 when there is none.',
  flags: {},
  async run({ args, json, terminal }) {
    noWords('service status', args)
    const place = serviceOf(terminal.system)
    const api = new LocalApi(place.socket, 'service')
    const engine = await api.call('status', { query: { peers: 'false' }, timeoutMs: 5_000 }).catch(() => undefined)
    const page = { System: place.system, Installed: engine !== undefined || isInstalled(place), Running: engine !== undefined, Socket: place.socket, Unit: unitState(place.system), ...whoMay(), ...(engine ? engineOf(engine) : {}) }
    if (json) printJson(terminal, page)
    else terminal.out(statusText(page))
    return page.Running ? EXIT.ok : page.Installed ? EXIT.noEngine : EXIT.unavailable
  },
}

const ready: Verb = {
  name: 'ready',
  summary: 'wait until it answers: what the unit does at its start',
  usage: '--socket PATH',
  help: 'Ends with 0 as soon as an engine answers at the socket, with 3 after a minute without an answer.',
  flags: {},
  async run({ api, terminal }) {
    const end = Date.now() + READY_MS
    for (;;) {
      const answered = await api.call('status', { query: { peers: 'false' }, timeoutMs: 5_000 }).then(() => true, () => false)
      if (answered) return EXIT.ok
      if (Date.now() > end || terminal.interrupted.aborted) throw new CliError(EXIT.noEngine, 'no-engine', `Nothing answered at ${api.socketPath} within a minute.`)
      await new Promise((resolve) => setTimeout(resolve, READY_STEP_MS))
    }
  },
}

export const service: Verb = {
  name: 'service',
  group: 'The engine and this command',
  summary: 'the engine as a service of this computer: install, uninstall, status',
  usage: 'install | uninstall | status',
  help: 'As a service the engine starts with the computer, serves everybody who may use it, and can put the whole computer on the network (bowline machine). Installing wants admin rights once; using it wants none.',
  flags: {},
  subs: [install, uninstall, status, ready],
}

/** Who asked for the admin rights, or whom they named; nobody where a package does it: who updates the computer asked for no rights here. Throws for a user that is not there. */
function operatorOf(args: Parsed, env: Readonly<Record<string, string | undefined>>): User | undefined {
  if (args.bool('from-package')) return undefined
  const named = args.has('operator') ? args.text('operator') : ''
  const asked = named || env['SUDO_USER'] || env['PKEXEC_UID'] || ''
  if (asked === '' || asked === 'root' || asked === '0') return undefined
  const user = isUserWord(asked) ? findUser(asked) : undefined
  if (user) return user
  // One that another directory than this computer's list knows: by number, the group is not for it.
  if (/^[1-9]\d*$/.test(asked)) return { name: asked, uid: Number(asked), home: '' }
  throw usageError(`There is no user ${JSON.stringify(asked)} on this computer.`)
}

function assertLinux(platform: string): void {
  if (platform !== 'linux') throw unavailable('This build installs the service on Linux alone. What it would be here is shown by: bowline service install --plan')
}

/** Throws CliError with the one command that has the rights. */
function assertRoot({ terminal }: Context, what: string): void {
  if (terminal.system.uid === 0) return
  const { env } = terminal.system
  const isDesktop = (env['DISPLAY'] ?? env['WAYLAND_DISPLAY'] ?? '') !== '' && existsSync('/usr/bin/pkexec')
  const command = existsSync('/usr/bin/bowline') ? '/usr/bin/bowline' : `${process.execPath} ${process.argv[1] ?? 'bowline'}`
  throw new CliError(EXIT.denied, 'needs-root', `This wants admin rights, once. Run: sudo ${command} service ${what}${isDesktop ? `   (or: pkexec ${command} service ${what})` : ''}`)
}

function planOf(platform: string, operator: User | undefined): ServicePlan {
  const operators = operator ? [operator.name] : []
  if (platform === 'darwin') return launchdPlan({ ...shapeOf([`${COPY_DIR}/node`, `${COPY_DIR}/command.mjs`], operators, ''), socket: '/var/run/bowline.sock', stateDir: '/Library/Bowline' })
  if (platform === 'win32') return windowsPlan({ ...shapeOf(['C:\\Program Files\\Bowline\\resources\\node.exe', 'C:\\Program Files\\Bowline\\resources\\cli\\command.mjs'], operators, ''), socket: '\\\\.\\pipe\\ProtectedPrefix\\Administrators\\Bowline\\engine', stateDir: 'C:\\ProgramData\\Bowline' })
  return systemdPlan(shapeOf(commandOf(ownBundle()), operators))
}

function print({ terminal, json }: Context, plan: ServicePlan): ExitCode {
  if (json) printJson(terminal, plan)
  else terminal.out(planText(plan))
  return EXIT.ok
}

/** What the engine put on this computer goes: as `bowline daemon --cleanup`. */
async function cleanUp(context: Context): Promise<void> {
  await daemon.run!({ ...context, args: parseFlags(['--cleanup'], daemon.flags, 'daemon'), terminal: { ...context.terminal, out: () => {} } })
}

interface ServiceStatus {
  readonly System: string
  readonly Installed: boolean
  readonly Running: boolean
  readonly Socket: string
  /** What systemd says of the unit: "active", "failed (exit-code)"; '' where nobody can be asked. */
  readonly Unit: string
  /** undefined: only root may know. */
  readonly Operators?: readonly string[]
  readonly Group: string
  readonly Version?: string
  readonly BackendState?: string
}

function unitState(system: string): string {
  if (system !== 'systemd' || !existsSync('/run/systemd/system')) return ''
  const { out } = runSystem(['systemctl', 'show', 'bowline.service', '--property=ActiveState,Result'])
  const [state = '', result = ''] = ['ActiveState', 'Result'].map((name) => new RegExp(`^${name}=([\\w-]*)$`, 'm').exec(out)?.[1] ?? '')
  return result === '' || result === 'success' ? state : `${state} (${result})`
}

function whoMay(): Pick<ServiceStatus, 'Operators' | 'Group'> {
  const record = readRecord(STATE_DIR)
  return { ...(record ? { Operators: record.operators } : {}), Group: GROUP }
}

const engineOf = ({ Version, BackendState }: Status): Pick<ServiceStatus, 'Version' | 'BackendState'> => ({ Version, BackendState })

function statusText({ Installed, Running, Unit, Socket, Operators, Group, Version: version, BackendState }: ServiceStatus): string {
  if (!Installed) return 'The service is not installed. Install it with: sudo bowline service install\n'
  const lines = [Running ? `The service runs at ${Socket} (${BackendState}).` : `The service is installed and does not answer${Unit === '' ? '' : `; systemd says: ${Unit}`}. Its log: journalctl -u bowline`]
  if (version !== undefined && version !== VERSION) lines.push(`It is version ${printable(version)}, this command is ${VERSION}. Renew it with: sudo bowline service install`)
  lines.push(Operators === undefined ? `Its operators and members of the group ${Group} may use it.` : `${[...Operators, `members of the group ${Group}`].join(', ')} may use it.`)
  return `${lines.join('\n')}\n`
}
