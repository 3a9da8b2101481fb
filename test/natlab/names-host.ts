/**
 * A computer of the lab whose names may be set: its own network, /etc, /run and bus, beside two name servers.
 *
 *   eth0 192.0.2.2 ── 192.0.2.53     the network's own server: www.example is 198.51.100.1, printer.lan is 192.0.2.9
 *   bowline0       ── 100.100.100.100 in the engine's place: peer.net.example is 100.64.0.7, www.example is 100.64.0.99
 *
 * Nothing of the machine itself is touched: what it starts sees bind mounts of folders of this test.
 */
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MachineDns } from '../../main/engine/core/plan/machine.ts'
import { Child, run, runOk } from '../support/child.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { NameServer } from './name-server.ts'

const ENGINE = fileURLToPath(new URL('names-engine.ts', import.meta.url))
const FROM_ETC = ['hosts', 'passwd', 'group', 'services', 'protocols', 'ssl', 'ld.so.cache', 'ld.so.conf', 'host.conf', 'alternatives', 'lsb-release', 'default']
const BUS_CONFIG = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/></policy></busconfig>
`
let hosts = 0

export interface HostOptions {
  /** Text of /etc/resolv.conf, or where it leads. */
  readonly resolvConf: string | { readonly link: string }
  /** Folder of unpacked packages that this computer has installed. */
  readonly packages?: string
  readonly nsswitch?: string
}

/** One line that the engine said. */
export interface Said {
  readonly what: 'ready' | 'done' | 'failed' | 'disturbed' | 'own-changed' | 'journal'
  readonly [field: string]: unknown
}

export class NamesHost {
  readonly folder = makeTempDir('names-host')
  readonly #id = `bwl${process.pid}n${++hosts}`
  readonly #options: HostOptions
  readonly #children: Child[] = []
  #own: NameServer | undefined
  #ours: NameServer | undefined
  #holder: Child | undefined
  #engine: { readonly child: Child; readonly commands: string; asked: number } | undefined
  #engines = 0

  constructor(options: HostOptions) {
    this.#options = options
  }

  /** The network's own server. */
  get own(): NameServer {
    return this.#own!
  }

  /** The server in the engine's place. */
  get ours(): NameServer {
    return this.#ours!
  }

  /** In front of commands inside. */
  get prefix(): string[] {
    return ['nsenter', '-t', String(this.#holder!.pid), '-n', '-m', '--']
  }

  /** Path of a file of the computer's /etc, from outside. */
  etc(name: string): string {
    return join(this.folder, 'etc', name)
  }

  async start(): Promise<void> {
    for (const [suffix, address] of [['o', '192.0.2.53/24'], ['t', '100.100.100.100/32']] as const) {
      await runOk('ip', ['netns', 'add', this.#id + suffix])
      await runOk('ip', ['-n', this.#id + suffix, 'link', 'set', 'lo', 'up'])
      if (suffix === 't') await runOk('ip', ['-n', this.#id + suffix, 'addr', 'add', address, 'dev', 'lo'])
    }
    this.#writeEtc()
    this.#holder = new Child({ name: 'holder', command: 'unshare', args: ['--net', '--mount', '--propagation', 'private', 'sh', '-c', this.#script()] })
    await waitFor('the computer', () => {
      this.#holder!.assertRunning()
      return this.#holder!.stdout.includes('holds')
    }, { withinMs: 30_000 })
    await this.#connect('eth0', 'o', '192.0.2.2/24', '192.0.2.53/24')
    await runOk('ip', ['route', 'add', 'default', 'via', '192.0.2.53'], { prefix: this.prefix })
    await this.addDevice()
    const at = (suffix: string): string[] => ['ip', 'netns', 'exec', this.#id + suffix]
    this.#own = new NameServer('192.0.2.53', at('o'), { 'www.example': ['198.51.100.1'], 'printer.lan': ['192.0.2.9'], 'secret.corp.example': ['192.0.2.10'] })
    this.#ours = new NameServer('100.100.100.100', at('t'), { 'peer.net.example': ['100.64.0.7'], 'www.example': ['100.64.0.99'] })
    await Promise.all([this.own.start(), this.ours.start()])
  }

  /** The tunnel device. */
  async addDevice(): Promise<void> {
    await this.#connect('bowline0', 't', '100.64.0.1/32', '100.64.0.99/32')
    await runOk('ip', ['route', 'add', '100.64.0.0/10', 'dev', 'bowline0'], { prefix: this.prefix })
    await runOk('ip', ['-n', `${this.#id}t`, 'route', 'add', '100.64.0.1', 'dev', 'bowline0'])
  }

  removeDevice(): Promise<string> {
    return runOk('ip', ['link', 'del', 'bowline0'], { prefix: this.prefix })
  }

  async stop(): Promise<void> {
    for (const child of [this.#engine?.child, ...this.#children.toReversed(), this.#own, this.#ours, this.#holder]) await child?.stop()
    for (const suffix of ['o', 't']) await run('ip', ['netns', 'del', this.#id + suffix])
    removeTempDir(this.folder)
  }

  /** A daemon inside, ended with the computer. */
  daemon(name: string, command: string, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Child {
    const child = new Child({ name, command, args, env, prefix: this.prefix })
    this.#children.push(child)
    return child
  }

  /** The system's bus. */
  async startBus(): Promise<void> {
    writeFileSync(this.etc('bus.conf'), BUS_CONFIG)
    const bus = this.daemon('dbus-daemon', 'dbus-daemon', ['--config-file=/etc/bus.conf', '--nofork', '--nopidfile'])
    await waitFor('the bus', async () => {
      bus.assertRunning()
      return (await this.run('test', '-S', '/run/dbus/system_bus_socket')).code === 0
    }, { withinMs: 30_000 })
  }

  /** Until a service has its name on the bus. */
  async waitForService(name: string, child: Child): Promise<void> {
    await waitFor(`${name} on the bus`, async () => {
      child.assertRunning()
      const { stdout } = await this.run('dbus-send', '--system', '--print-reply', '--dest=org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus.NameHasOwner', `string:${name}`)
      return stdout.includes('boolean true')
    }, { withinMs: 60_000 })
  }

  run(command: string, ...args: readonly string[]): ReturnType<typeof run> {
    return run(command, args, { prefix: this.prefix })
  }

  /** Addresses of a name as programs of this computer find them. */
  async getent(name: string): Promise<readonly string[]> {
    const { stdout } = await this.run('getent', 'ahostsv4', name)
    return [...new Set(stdout.split('\n').filter((line) => line !== '').map((line) => line.split(/\s/)[0]!))]
  }

  resolvConf(): Promise<string> {
    return runOk('cat', ['/etc/resolv.conf'], { prefix: this.prefix })
  }

  /** A fresh engine; one that was there before has to be dead or stopped. */
  async startEngine(): Promise<void> {
    const commands = join(this.folder, `commands-${++this.#engines}`)
    writeFileSync(commands, '')
    const child = new Child({ name: 'engine', command: process.execPath, args: [ENGINE, commands], prefix: this.prefix })
    this.#engine = { child, commands, asked: 0 }
    await this.said('the engine', ({ what }) => what === 'ready')
  }

  /** Has the engine do something; what became of it. */
  async ask(command: Readonly<Record<string, unknown>>): Promise<unknown> {
    const engine = this.#engine!
    const at = ++engine.asked
    appendFileSync(engine.commands, `${JSON.stringify(command)}\n`)
    const line = await this.said(`the answer to ${JSON.stringify(command)}`, (one) => one.at === at && (one.what === 'done' || one.what === 'failed'))
    if (line.what === 'failed') throw new Error(String(line.why))
    return line.value
  }

  set(want: Partial<MachineDns> | null): Promise<unknown> {
    return this.ask({ set: want === null ? null : { device: 'bowline0', servers: ['100.100.100.100'], matchDomains: ['net.example'], searchDomains: ['net.example'], all: false, exclusive: false, ...want } })
  }

  /** All lines so far. */
  get heard(): readonly Said[] {
    return this.#engine!.child.stdout.split('\n').filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as Said)
  }

  said(what: string, fits: (line: Said) => boolean): Promise<Said> {
    return waitFor(what, () => {
      const found = this.heard.find(fits)
      if (!found) this.#engine!.child.assertRunning()
      return found
    }, { withinMs: 60_000 })
  }

  async killEngine(): Promise<void> {
    process.kill(this.#engine!.child.pid, 'SIGKILL')
    await this.#engine!.child.exited
  }

  async #connect(device: string, suffix: string, here: string, there: string): Promise<void> {
    const pid = String(this.#holder!.pid)
    await runOk('ip', ['link', 'add', device, 'netns', pid, 'type', 'veth', 'peer', 'name', device, 'netns', this.#id + suffix])
    await runOk('ip', ['addr', 'add', here, 'dev', device], { prefix: this.prefix })
    await runOk('ip', ['link', 'set', device, 'up'], { prefix: this.prefix })
    await runOk('ip', ['-n', this.#id + suffix, 'addr', 'add', there, 'dev', device])
    await runOk('ip', ['-n', this.#id + suffix, 'link', 'set', device, 'up'])
  }

  #writeEtc(): void {
    const { resolvConf, packages, nsswitch } = this.#options
    const etc = join(this.folder, 'etc')
    for (const name of ['etc', 'sbin-over', 'lib-over']) mkdirSync(join(this.folder, name))
    for (const name of FROM_ETC) if (existsSync(join('/etc', name))) cpSync(join('/etc', name), join(etc, name), { recursive: true, dereference: true })
    if (packages !== undefined && existsSync(join(packages, 'etc'))) cpSync(join(packages, 'etc'), etc, { recursive: true })
    for (const [file, line] of [['passwd', 'systemd-resolve:x:7996:7996::/:/usr/sbin/nologin'], ['group', 'systemd-resolve:x:7996:']] as const) {
      writeFileSync(join(etc, file), `${readFileSync(join('/etc', file), 'utf8').split('\n').filter((one) => !one.startsWith('systemd-resolve:')).join('\n').trimEnd()}\n${line}\n`)
    }
    writeFileSync(join(etc, 'nsswitch.conf'), nsswitch ?? 'passwd: files\ngroup: files\nhosts: files dns\n')
    if (typeof resolvConf === 'string') writeFileSync(join(etc, 'resolv.conf'), resolvConf)
  }

  #script(): string {
    const { resolvConf, packages } = this.#options
    const over = (folder: string): string => (packages !== undefined && existsSync(packages + folder) ? `mount -t overlay overlay -o 'lowerdir=${packages}${folder}:/usr${folder}' '/usr${folder}'` : ':')
    return [
      'set -e', 'mount -t sysfs sysfs /sys', over('/sbin'), over('/lib'), `mount --bind '${join(this.folder, 'etc')}' /etc`, 'mount -t tmpfs tmpfs /run',
      'mkdir -p /run/dbus /run/systemd/resolve /run/resolvconf/interface', 'chown 7996:7996 /run/systemd/resolve', 'ip link set lo up',
      typeof resolvConf === 'string' ? ':' : `ln -s '${resolvConf.link}' /etc/resolv.conf`, 'echo holds', 'exec sleep infinity',
    ].join('\n')
  }
}
