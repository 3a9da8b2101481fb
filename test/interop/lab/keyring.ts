/**
 * A real gnome-keyring-daemon on a session bus of its own, with a password, in a temporary folder: the Secret Service as a
 * desktop has it.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Child, runOk } from '../../support/child.ts'
import { waitFor } from '../../support/wait.ts'

const PROGRAMS = ['/usr/bin/dbus-daemon', '/usr/bin/gnome-keyring-daemon', '/usr/bin/gdbus']
const PASSWORD = 'open sesame'

/** The programs that are missing, by name. */
export function missingPrograms(): readonly string[] {
  return PROGRAMS.filter((path) => !existsSync(path))
}

export class Keyring {
  readonly busAddress: string
  readonly #folder: string
  #bus: Child | undefined
  #daemon: Child | undefined

  /** `folder` must be short: the bus's socket lies there. */
  constructor(folder: string) {
    this.#folder = folder
    this.busAddress = `unix:path=${join(folder, 'bus')}`
  }

  get log(): string {
    return `${this.#bus?.log ?? ''}${this.#daemon?.log ?? ''}`
  }

  #at(name: string): string {
    return join(this.#folder, name)
  }

  get #env(): Record<string, string> {
    return { HOME: this.#at('home'), XDG_DATA_HOME: this.#at('data'), XDG_RUNTIME_DIR: this.#at('run'), DBUS_SESSION_BUS_ADDRESS: this.busAddress, DISPLAY: '', WAYLAND_DISPLAY: '' }
  }

  /** Starts the bus alone. */
  async startBus(): Promise<void> {
    for (const name of ['home', 'data', 'run']) mkdirSync(join(this.#folder, name), { recursive: true, mode: 0o700 })
    writeFileSync(this.#at('bus.conf'), busConfig(this.busAddress))
    writeFileSync(this.#at('password'), PASSWORD, { mode: 0o600 })
    this.#bus = new Child({ name: 'dbus-daemon', command: '/usr/bin/dbus-daemon', args: [`--config-file=${this.#at('bus.conf')}`, '--nofork'], env: this.#env })
    await waitFor('the bus', () => existsSync(join(this.#folder, 'bus')), { withinMs: 10_000 })
  }

  /** Starts the keyring, with the password typed. */
  async start(): Promise<void> {
    if (!this.#bus) await this.startBus()
    const words = `exec /usr/bin/gnome-keyring-daemon --foreground --components=secrets`
    this.#daemon = new Child({ name: 'gnome-keyring', command: '/bin/sh', args: ['-c', `${words} --unlock <${this.#at('password')}`], env: this.#env })
    await waitFor('the keyring', async () => (await this.#call('/org/freedesktop/secrets', 'org.freedesktop.Secret.Service.ReadAlias', 'default')).includes('login'), { withinMs: 10_000 })
  }

  /** Ends the keyring; what it holds stays on disk. */
  async stopDaemon(): Promise<void> {
    await this.#daemon?.stop()
    this.#daemon = undefined
  }

  async lock(): Promise<void> {
    await this.#call('/org/freedesktop/secrets', 'org.freedesktop.Secret.Service.Lock', "['/org/freedesktop/secrets/collection/login']")
  }

  /** The session begins anew, with the password typed. */
  async unlock(): Promise<void> {
    await this.stopDaemon()
    await this.start()
  }

  /** Paths of what it holds of ours. */
  async items(): Promise<string> {
    return await this.#call('/org/freedesktop/secrets', 'org.freedesktop.Secret.Service.SearchItems', "{'application': 'bowline'}")
  }

  async stop(): Promise<void> {
    await this.stopDaemon()
    await this.#bus?.stop()
  }

  #call(path: string, method: string, ...words: string[]): Promise<string> {
    return runOk('/usr/bin/gdbus', ['call', '--address', this.busAddress, '--dest', 'org.freedesktop.secrets', '--object-path', path, '--method', method, ...words], { env: this.#env, timeoutMs: 5_000 })
  }
}

/** A session bus that starts nothing by itself. */
function busConfig(address: string): string {
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>${address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>
`
}
