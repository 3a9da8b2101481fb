/**
 * A session bus of a test's own, with what a desktop has on it: something that shows tray icons and reads their menus.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Message, sessionBus, Variant, type MessageBus } from '@jellybrick/dbus-next'
import { Child } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'

export const DBUS_DAEMON = '/usr/bin/dbus-daemon'
const PATIENCE = { withinMs: 30_000 }
const PROPERTIES = 'org.freedesktop.DBus.Properties'

export class PrivateBus {
  readonly address: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'bowline-bus-'))
  #daemon: Child | undefined

  constructor() {
    this.address = `unix:path=${join(this.#folder, 'bus')}`
  }

  async start(): Promise<void> {
    const config = join(this.#folder, 'bus.conf')
    writeFileSync(config, `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>${this.address}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
`)
    this.#daemon = new Child({ name: 'dbus-daemon', command: DBUS_DAEMON, args: [`--config-file=${config}`, '--nofork'] })
    await waitFor('the bus', () => existsSync(join(this.#folder, 'bus')), PATIENCE)
  }

  connect(): MessageBus {
    return sessionBus({ busAddress: this.address, authMethods: ['EXTERNAL'] })
  }

  async stop(): Promise<void> {
    await this.#daemon?.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Plain values of what came as variants. */
export function plain(value: unknown): unknown {
  if (value instanceof Variant) return plain(value.value)
  if (Array.isArray(value)) return value.map(plain)
  if (Buffer.isBuffer(value) || typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]))
}

export interface MenuEntry {
  readonly id: number
  readonly label: string
  readonly type: string
  readonly enabled: boolean
  /** undefined = no mark at all. */
  readonly checked: boolean | undefined
  readonly children: readonly MenuEntry[]
}

export interface ItemLook {
  readonly title: string
  readonly tooltip: string
  /** The picture as one text to compare. */
  readonly icon: string
  readonly menu: string
}

/** A watcher that is its own host, as GNOME's extension is. */
export class TrayHost {
  readonly #bus: MessageBus
  #items: { readonly owner: string; readonly path: string }[] = []

  constructor(bus: PrivateBus) {
    this.#bus = bus.connect()
  }

  /** How often an icon was registered. */
  get registrations(): number {
    return this.#items.length
  }

  async start(): Promise<void> {
    this.#bus.addMethodHandler((message: Message) => this.#answer(message))
    await this.#bus.requestName('org.kde.StatusNotifierWatcher')
  }

  /** The session's panel ends. */
  stop(): void {
    this.#bus.disconnect()
  }

  /** What the panel shows of the icon that was registered last. */
  async look(): Promise<ItemLook> {
    const { owner, path } = await waitFor('an icon', () => this.#items.at(-1), PATIENCE)
    const reply = await this.#call(owner, path, PROPERTIES, 'GetAll', 's', ['org.kde.StatusNotifierItem'])
    const all = plain(reply[0]) as Record<string, unknown>
    const tooltip = all['ToolTip'] as unknown[] | undefined
    return { title: String(all['Title']), tooltip: text(tooltip?.[2]), icon: iconText(all), menu: String(all['Menu']) }
  }

  async menu(): Promise<readonly MenuEntry[]> {
    const { menu } = await this.look()
    const { owner } = this.#items.at(-1)!
    const [, root] = await this.#call(owner, menu, 'com.canonical.dbusmenu', 'GetLayout', 'iias', [0, -1, []])
    return entryOf(plain(root)).children
  }

  /** The entry whose label is or begins with these words, also in submenus. */
  async entry(label: string): Promise<MenuEntry> {
    return waitFor(`the entry ${label}`, async () => all(await this.menu()).find((one) => one.label === label || one.label.startsWith(label)), PATIENCE)
  }

  /** The person clicks it. The menu may have been made anew, with other ids, since it was read: then it is read again. */
  async click(label: string): Promise<void> {
    await waitFor(`a click on ${label}`, async () => {
      const { id } = await this.entry(label)
      const { menu } = await this.look()
      const event = [id, 'clicked', new Variant('i', 0), 0]
      // Clicking "Quit" ends who would answer.
      return this.#call(this.#items.at(-1)!.owner, menu, 'com.canonical.dbusmenu', 'Event', 'isvu', event).then(() => true, (error: { readonly type?: string }) => error.type !== 'org.freedesktop.DBus.Error.Failed')
    }, PATIENCE)
  }

  async #call(destination: string, path: string, iface: string, member: string, signature: string, body: unknown[]): Promise<unknown[]> {
    return (await this.#bus.call(new Message({ destination, path, interface: iface, member, signature, body })))!.body
  }

  #answer(message: Message): boolean {
    if (message.path !== '/StatusNotifierWatcher') return false
    const property = ({ IsStatusNotifierHostRegistered: new Variant('b', true), ProtocolVersion: new Variant('i', 0), RegisteredStatusNotifierItems: new Variant('as', []) } as Readonly<Record<string, Variant>>)
    if (message.interface === PROPERTIES && message.member === 'Get') {
      this.#bus.send(Message.newMethodReturn(message, 'v', [property[String((message.body as unknown[])[1])]!]))
    } else if (message.interface === PROPERTIES) this.#bus.send(Message.newMethodReturn(message, 'a{sv}', [property]))
    else if (message.member === 'RegisterStatusNotifierItem') {
      const [service] = message.body as [string]
      this.#items.push(service.startsWith('/') ? { owner: message.sender!, path: service } : { owner: service, path: '/StatusNotifierItem' })
      this.#bus.send(Message.newMethodReturn(message, '', []))
    } else this.#bus.send(Message.newMethodReturn(message, '', []))
    return true
  }
}

export interface Shown {
  readonly id: number
  /** 0 = it took no other's place. */
  readonly replaces: number
  readonly title: string
  readonly body: string
  /** What its buttons say, by their keys. */
  readonly actions: Readonly<Record<string, string>>
}

/** A notification service that reads bodies as markup and has buttons. */
export class NoticeHost {
  readonly #bus: MessageBus
  readonly shown: Shown[] = []
  readonly closed: number[] = []
  #last = 0

  constructor(bus: PrivateBus) {
    this.#bus = bus.connect()
  }

  async start(): Promise<void> {
    this.#bus.addMethodHandler((message: Message) => this.#answer(message))
    await this.#bus.requestName('org.freedesktop.Notifications')
  }

  stop(): void {
    this.#bus.disconnect()
  }

  /** The person presses the button that says so. */
  press({ id, actions }: Shown, label: string): void {
    const key = Object.keys(actions).find((one) => actions[one] === label)
    if (key === undefined) throw new Error(`no button ${label} among ${Object.values(actions).join(', ')}`)
    this.#bus.send(Message.newSignal('/org/freedesktop/Notifications', 'org.freedesktop.Notifications', 'ActionInvoked', 'us', [id, key]))
  }

  #answer(message: Message): boolean {
    if (message.path !== '/org/freedesktop/Notifications') return false
    if (message.member === 'GetCapabilities') this.#bus.send(Message.newMethodReturn(message, 'as', [['actions', 'body', 'body-markup']]))
    else if (message.member === 'Notify') {
      const [, replaces, , title, body, flat] = message.body as [string, number, string, string, string, string[]]
      const id = replaces === 0 ? ++this.#last : replaces
      this.shown.push({ id, replaces, title, body, actions: Object.fromEntries(flat.flatMap((key, index) => (index % 2 === 0 ? [[key, flat[index + 1]!] as const] : []))) })
      this.#bus.send(Message.newMethodReturn(message, 'u', [id]))
    } else {
      if (message.member === 'CloseNotification') this.closed.push((message.body as [number])[0])
      this.#bus.send(Message.newMethodReturn(message, '', []))
    }
    return true
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const all = (entries: readonly MenuEntry[]): readonly MenuEntry[] => entries.flatMap((entry) => [entry, ...all(entry.children)])

/** What the icon looks like: GNOME is told of a file, others get the pixels. */
function iconText({ IconName: name, IconThemePath: folder, IconPixmap: pixmap }: Readonly<Record<string, unknown>>): string {
  if (typeof name === 'string' && name !== '') {
    const files = readdirSync(String(folder), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith(`${name}.png`))
    return files.map((file) => readFileSync(join(String(folder), file)).toString('base64')).join()
  }
  return (pixmap as [number, number, Buffer][]).map(([width, height, bytes]) => `${width}x${height} ${Buffer.from(bytes).toString('base64')}`).join()
}

function entryOf(raw: unknown): MenuEntry {
  const [id, properties, children] = raw as [number, Record<string, unknown>, unknown[]]
  const state = properties['toggle-type'] === undefined || properties['toggle-type'] === '' ? undefined : properties['toggle-state'] === 1
  return {
    id, label: text(properties['label']), type: text(properties['type']) || 'standard', enabled: properties['enabled'] !== false, checked: state,
    children: children.map(entryOf),
  }
}
