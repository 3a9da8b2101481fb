/**
 * The desktop's keyring over D-Bus: gnome-keyring, KWallet or KeePassXC behind the Secret Service.
 *
 *   OpenSession(plain) → SearchItems {application, name} → unlocked: GetSecrets · locked: Unlock, Prompt
 *   the secret travels over the user's own session bus, which others cannot read
 *
 * Every call has a deadline, so that a keyring that hangs never hangs the engine.
 * Source: freedesktop.org Secret Service API 0.2.
 */
import type { EventEmitter } from 'node:events'
import type * as Dbus from '@jellybrick/dbus-next'
import type { Message, MessageBus, Variant } from '@jellybrick/dbus-next'
import { errorText } from '../base/errors.ts'
import type { KeptKey, KeyKeeper } from './key-keeper.ts'

const SERVICE = 'org.freedesktop.secrets'
const ROOT = '/org/freedesktop/secrets'
const INTERFACE = 'org.freedesktop.Secret'
const NO_OBJECT = '/'
const KEYRING = "the system's keyring"
/** How long the whole of one load or save may take. */
const LIMIT_MS = 3_000
/** A person who is asked for a password is given this long, while nobody waits. */
const PROMPT_MS = 120_000

export interface SecretServiceOptions {
  /** As in DBUS_SESSION_BUS_ADDRESS. */
  readonly busAddress: string
  readonly limitMs?: number
}

export class SecretService implements KeyKeeper {
  readonly kind = 'secret-service'
  readonly #options: SecretServiceOptions
  #hasAsked = false

  constructor(options: SecretServiceOptions) {
    this.#options = options
  }

  async load(name: string): Promise<KeptKey> {
    try {
      return await this.#withBus(async (bus) => {
        const { unlocked, locked } = await search(bus, name)
        const item = unlocked[0]
        if (item !== undefined) return await secretOf(bus, item)
        if (locked.length === 0) return { kind: 'none' }
        this.#askToUnlock(locked)
        return { kind: 'locked', why: `${KEYRING} is locked` }
      })
    } catch (error) {
      return { kind: 'absent', why: reasonOf(error) }
    }
  }

  async save(name: string, key: Uint8Array): Promise<void> {
    await this.#withBus(async (bus) => {
      const session = await openSession(bus)
      const collection = await defaultCollection(bus)
      const properties = {
        [`${INTERFACE}.Item.Label`]: bus.variant('s', 'Bowline: key of the saved state'),
        [`${INTERFACE}.Item.Attributes`]: bus.variant('a{ss}', attributesOf(name)),
      }
      const secret = [session, Buffer.alloc(0), Buffer.from(key), 'application/octet-stream']
      const [, prompt] = await bus.call(collection, `${INTERFACE}.Collection`, 'CreateItem', 'a{sv}(oayays)b', [properties, secret, true])
      if (prompt !== NO_OBJECT) throw new Error(`${KEYRING} is locked`)
    }).catch((error: unknown) => {
      throw new Error(reasonOf(error), { cause: error })
    })
  }

  async remove(name: string): Promise<void> {
    await this.#withBus(async (bus) => {
      const { unlocked, locked } = await search(bus, name)
      for (const item of [...unlocked, ...locked]) await bus.call(item, `${INTERFACE}.Item`, 'Delete', '', [])
    }).catch(() => {})
  }

  /** Has the keyring ask for its password, once: who has said no is not asked again. Whether it helped is seen at the next load. */
  #askToUnlock(items: readonly string[]): void {
    if (this.#hasAsked) return
    this.#hasAsked = true
    this.#withBus(async (bus) => {
      const [, prompt] = await bus.call(ROOT, `${INTERFACE}.Service`, 'Unlock', 'ao', [items])
      if (typeof prompt !== 'string' || prompt === NO_OBJECT) return
      const completed = new Promise<void>((resolve) => {
        bus.onMessage((message) => {
          if (message.path === prompt && message.member === 'Completed') resolve()
        })
      })
      await bus.call('/org/freedesktop/DBus', 'org.freedesktop.DBus', 'AddMatch', 's', [`type='signal',interface='${INTERFACE}.Prompt',path='${prompt}'`], 'org.freedesktop.DBus')
      await bus.call(prompt, `${INTERFACE}.Prompt`, 'Prompt', 's', [''])
      await completed
    }, PROMPT_MS).catch(() => {})
  }

  /** Work on a connection of its own, which ends with it or at the limit. */
  async #withBus<T>(work: (bus: Bus) => Promise<T>, limitMs = this.#options.limitMs ?? LIMIT_MS): Promise<T> {
    // Large, and most engines have no keyring.
    const dbus = await import('@jellybrick/dbus-next')
    const bus = new Bus(dbus, this.#options.busAddress)
    let timer: NodeJS.Timeout | undefined
    const failed = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${limitMs / 1000} s`)), limitMs)
      timer.unref()
      bus.onError(reject)
    })
    return await Promise.race([work(bus), failed]).finally(() => {
      clearTimeout(timer)
      bus.close()
    })
  }
}

/** A connection to the session bus. */
class Bus {
  readonly #dbus: typeof Dbus
  readonly #bus: MessageBus

  constructor(dbus: typeof Dbus, busAddress: string) {
    this.#dbus = dbus
    this.#bus = dbus.sessionBus({ busAddress, authMethods: ['EXTERNAL'] })
  }

  async call(path: string, iface: string, member: string, signature: string, body: unknown[], destination = SERVICE): Promise<unknown[]> {
    const reply = await this.#bus.call(new this.#dbus.Message({ destination, path, interface: iface, member, signature, body }))
    return reply?.body ?? []
  }

  variant(signature: string, value: unknown): Variant {
    return new this.#dbus.Variant(signature, value)
  }

  onMessage(take: (message: Message) => void): void {
    this.#bus.on('message', take)
  }

  /** For good: errors may come after the end, too. */
  onError(take: (error: Error) => void): void {
    // The library's types leave this event out.
    const events: EventEmitter = this.#bus
    events.on('error', take)
  }

  close(): void {
    try {
      this.#bus.disconnect()
    } catch {
      // It never connected.
    }
  }
}

function reasonOf(error: unknown): string {
  const text = errorText(error)
  const { type } = error as { type?: unknown }
  if (type === 'org.freedesktop.DBus.Error.ServiceUnknown') return 'no keyring serves this session'
  return text.startsWith(KEYRING) ? text : `${KEYRING} does not answer (${text})`
}

const attributesOf = (name: string): Record<string, string> => ({ application: 'bowline', name })

async function openSession(bus: Bus): Promise<string> {
  const [, session] = await bus.call(ROOT, `${INTERFACE}.Service`, 'OpenSession', 'sv', ['plain', bus.variant('s', '')])
  return textOf(session)
}

async function search(bus: Bus, name: string): Promise<{ unlocked: readonly string[]; locked: readonly string[] }> {
  const [unlocked, locked] = await bus.call(ROOT, `${INTERFACE}.Service`, 'SearchItems', 'a{ss}', [attributesOf(name)])
  return { unlocked: textsOf(unlocked), locked: textsOf(locked) }
}

async function secretOf(bus: Bus, item: string): Promise<KeptKey> {
  const session = await openSession(bus)
  const [secrets] = await bus.call(ROOT, `${INTERFACE}.Service`, 'GetSecrets', 'aoo', [[item], session])
  const secret: unknown = typeof secrets === 'object' && secrets !== null ? (secrets as Record<string, unknown>)[item] : undefined
  const value: unknown = Array.isArray(secret) ? secret[2] : undefined
  return value instanceof Uint8Array && value.length === 32 ? { kind: 'key', key: Uint8Array.from(value) } : { kind: 'none' }
}

async function defaultCollection(bus: Bus): Promise<string> {
  const [path] = await bus.call(ROOT, `${INTERFACE}.Service`, 'ReadAlias', 's', ['default'])
  if (textOf(path) === NO_OBJECT) throw new Error(`${KEYRING} has no default collection`)
  return textOf(path)
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`${KEYRING} answers strangely`)
  return value
}

function textsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) throw new Error(`${KEYRING} answers strangely`)
  return value
}
