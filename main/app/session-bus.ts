/**
 * The desktop's session bus, for what Electron does not do on Linux: asking who shows tray icons, and notifications with buttons.
 *
 * There may be none (a bare X server, a container, other systems), and it may go away: then every call fails and nobody else notices.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Message, sessionBus, Variant, type MessageBus } from '@jellybrick/dbus-next'

const CALL_MS = 5000
const BUS = 'org.freedesktop.DBus'

export interface BusCall {
  readonly to: string
  readonly path: string
  readonly iface: string
  readonly member: string
  readonly signature?: string
  readonly body?: unknown[]
}

export interface BusSignal {
  readonly sender: string
  readonly iface: string
  readonly member: string
  readonly body: readonly unknown[]
}

/** Where the bus is; undefined = there is none. */
export function sessionBusAddress(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const told = env['DBUS_SESSION_BUS_ADDRESS']
  if (told !== undefined) return told === '' ? undefined : told
  const usual = join(env['XDG_RUNTIME_DIR'] ?? '/nonexistent', 'bus')
  return existsSync(usual) ? `unix:path=${usual}` : undefined
}

export class SessionBus {
  readonly #bus: MessageBus
  readonly #listeners = new Set<(signal: BusSignal) => void>()
  #closed = false

  constructor(address: string) {
    this.#bus = sessionBus({ busAddress: address, authMethods: ['EXTERNAL'] })
    // The library's types leave this event out; without a listener a lost bus would end the app.
    const emitter = this.#bus as unknown as { on(event: 'error', take: (error: Error) => void): void }
    emitter.on('error', () => {
      this.#closed = true
    })
    this.#bus.on('message', (message: Message) => this.#take(message))
  }

  /** What the call answers; throws when it fails or does not answer in five seconds. */
  async call({ to, path, iface, member, signature = '', body = [] }: BusCall): Promise<readonly unknown[]> {
    if (this.#closed) throw new Error('the session bus is gone')
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${to} did not answer`)), CALL_MS)
    })
    const reply = this.#bus.call(new Message({ destination: to, path, interface: iface, member, signature, body }))
    try {
      return (await Promise.race([reply, late]))?.body ?? []
    } finally {
      clearTimeout(timer)
      reply.catch(() => undefined)
    }
  }

  /** Follows the signals of an interface. */
  async follow(iface: string, take: (signal: BusSignal) => void): Promise<void> {
    this.#listeners.add((signal) => {
      if (signal.iface === iface) take(signal)
    })
    await this.#match(`type='signal',interface='${iface}'`)
  }

  /** Tells the owner of a name now and whenever it changes; '' = nobody. */
  async watchName(name: string, take: (owner: string) => void): Promise<void> {
    this.#listeners.add(({ sender, member, body }) => {
      if (sender === BUS && member === 'NameOwnerChanged' && body[0] === name) take(String(body[2]))
    })
    await this.#match(`type='signal',sender='${BUS}',interface='${BUS}',member='NameOwnerChanged',arg0='${name}'`)
    const [owner] = await this.#ask('GetNameOwner', name).catch(() => [''])
    take(String(owner))
  }

  /** Whether somebody serves a name, or would be started for it. */
  async hasService(name: string): Promise<boolean> {
    const [owned] = await this.#ask('NameHasOwner', name)
    if (owned === true) return true
    const [startable] = await this.call({ to: BUS, path: '/org/freedesktop/DBus', iface: BUS, member: 'ListActivatableNames' })
    return Array.isArray(startable) && startable.includes(name)
  }

  async property(to: string, path: string, iface: string, name: string): Promise<unknown> {
    const [value] = await this.call({ to, path, iface: 'org.freedesktop.DBus.Properties', member: 'Get', signature: 'ss', body: [iface, name] })
    return plain(value)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#bus.disconnect()
  }

  #ask(member: string, name: string): Promise<readonly unknown[]> {
    return this.call({ to: BUS, path: '/org/freedesktop/DBus', iface: BUS, member, signature: 's', body: [name] })
  }

  async #match(rule: string): Promise<void> {
    await this.call({ to: BUS, path: '/org/freedesktop/DBus', iface: BUS, member: 'AddMatch', signature: 's', body: [rule] })
  }

  #take(message: Message): void {
    // 4: a signal.
    if (Number(message.type) !== 4) return
    const signal = { sender: message.sender ?? '', iface: message.interface ?? '', member: message.member ?? '', body: message.body as unknown[] }
    for (const listener of this.#listeners) listener(signal)
  }
}

/** What is in a variant, or in one within another. */
export function plain(value: unknown): unknown {
  return value instanceof Variant ? plain(value.value) : value
}

/** A variant of the bus. */
export const variant = (signature: string, value: unknown): unknown => new Variant(signature, value)
