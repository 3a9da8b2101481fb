/**
 * The system's D-Bus: calls with a deadline, properties, signals. One connection, made at the first call; one that broke is made anew at
 * the next, and signals are asked for again.
 *
 * What services say is checked by whoever reads it: bodies are unknown.
 */
import type { EventEmitter } from 'node:events'
import type * as Dbus from '@jellybrick/dbus-next'
import type { Message, MessageBus } from '@jellybrick/dbus-next'
import { EngineError, errorText } from '../../base/errors.ts'

const USUAL = 'unix:path=/run/dbus/system_bus_socket'
const LIMIT_MS = 5_000
const BUS = 'org.freedesktop.DBus'
const BUS_PATH = '/org/freedesktop/DBus'

export interface BusPlace {
  readonly service: string
  readonly path: string
  readonly iface: string
}

interface Connection {
  readonly dbus: typeof Dbus
  readonly bus: MessageBus
  /** Rejects when the connection breaks. */
  readonly broken: Promise<never>
}

export class SystemBus {
  readonly #address: string
  #connection: Promise<Connection> | undefined
  #live: MessageBus | undefined
  readonly #rules = new Map<string, (message: Message) => void>()

  constructor(address: string | undefined) {
    this.#address = address ?? USUAL
  }

  /** Rejects with EngineError: 'not-found' without a bus or service, 'not-supported' for an unknown method, 'timeout', 'access-denied', 'io'. */
  async call(place: BusPlace, member: string, signature = '', body: unknown[] = []): Promise<readonly unknown[]> {
    const connection = await this.#connect()
    return await this.#callOn(connection, place, member, signature, body)
  }

  /** The value of a property; rejects as `call` does. */
  async property(place: BusPlace, name: string): Promise<unknown> {
    const [value] = await this.call({ ...place, iface: `${BUS}.Properties` }, 'Get', 'ss', [place.iface, name])
    return (value as { value?: unknown } | undefined)?.value
  }

  /** Whether a service has its name on the bus now; none is started for the question. */
  async has(service: string): Promise<boolean> {
    try {
      const [owned] = await this.call({ service: BUS, path: BUS_PATH, iface: BUS }, 'NameHasOwner', 's', [service])
      return owned === true
    } catch {
      return false
    }
  }

  /** Signals of a match rule go to `take` until the end. Rejects as `call` does. */
  async onSignal(rule: string, take: (message: Message) => void): Promise<void> {
    const isNew = !this.#rules.has(rule)
    this.#rules.set(rule, take)
    const hadConnection = this.#connection !== undefined
    const connection = await this.#connect()
    if (isNew && hadConnection) await this.#match(connection, rule)
  }

  close(): void {
    const connection = this.#connection
    this.#connection = undefined
    this.#rules.clear()
    void connection?.then(({ bus }) => endOf(bus)).catch(() => {})
  }

  #connect(): Promise<Connection> {
    this.#connection ??= this.#open().catch((error: unknown) => {
      this.#connection = undefined
      throw error
    })
    return this.#connection
  }

  async #open(): Promise<Connection> {
    // Large, and most engines have no use for it.
    const dbus = await import('@jellybrick/dbus-next')
    const bus = dbus.sessionBus({ busAddress: this.#address, authMethods: ['EXTERNAL'] })
    this.#live = bus
    const broken = new Promise<never>((_resolve, reject) => {
      // The library's types leave this event out; errors may come after the end, too.
      const events: EventEmitter = bus
      events.on('error', (error: Error) => {
        if (this.#live === bus) this.#connection = this.#live = undefined
        reject(new EngineError('not-found', `The system's bus does not answer: ${errorText(error)}`, { cause: error }))
      })
    })
    broken.catch(() => {})
    bus.on('message', (message: Message) => {
      if (message.type === dbus.MessageType.SIGNAL) for (const take of this.#rules.values()) take(message)
    })
    const connection = { dbus, bus, broken }
    for (const rule of this.#rules.keys()) await this.#match(connection, rule)
    return connection
  }

  async #match(connection: Connection, rule: string): Promise<void> {
    await this.#callOn(connection, { service: BUS, path: BUS_PATH, iface: BUS }, 'AddMatch', 's', [rule])
  }

  async #callOn({ dbus, bus, broken }: Connection, { service, path, iface }: BusPlace, member: string, signature: string, body: unknown[]): Promise<readonly unknown[]> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        // A connection that ended says so to nobody: the next call makes another.
        this.#drop(bus)
        reject(new EngineError('timeout', `${service} does not answer.`))
      }, LIMIT_MS)
      timer.unref()
    })
    try {
      const reply = await Promise.race([bus.call(new dbus.Message({ destination: service, path, interface: iface, member, signature, body })), late, broken])
      return reply?.body ?? []
    } catch (error) {
      throw error instanceof EngineError ? error : faultOf(error, service, member)
    } finally {
      clearTimeout(timer)
    }
  }

  #drop(bus: MessageBus): void {
    if (this.#live === bus) this.#connection = this.#live = undefined
    endOf(bus)
  }
}

function endOf(bus: MessageBus): void {
  try {
    bus.disconnect()
  } catch {
    // It never connected.
  }
}

function faultOf(error: unknown, service: string, member: string): EngineError {
  const { type: kind } = error as { type?: unknown }
  const type = typeof kind === 'string' ? kind : ''
  const code = /\.(ServiceUnknown|NameHasNoOwner|NoReply)$/.test(type) || type.includes('.Spawn.') ? 'not-found'
    : /\.Unknown(Method|Interface|Property|Object)$/.test(type) ? 'not-supported'
    : /\.(AccessDenied|InteractiveAuthorizationRequired|AuthFailed)$/.test(type) ? 'access-denied'
    : 'io'
  // eslint-disable-next-line no-control-regex
  const said = errorText(error).replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').slice(0, 200)
  return new EngineError(code, `${service} refused ${member}: ${said}`, { cause: error })
}
