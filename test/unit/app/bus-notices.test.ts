/**
 * Notifications over the session bus, against a bus in memory: places used again, markup, services that go, strangers' signals.
 */
import { describe, expect, it } from 'vitest'
import { BusNotices, escaped } from '../../../main/app/notices/bus-notices.ts'
import type { Cause } from '../../../main/app/notices/machine.ts'
import type { BusCall, BusSignal } from '../../../main/app/session-bus.ts'

const SERVICE = ':1.7'

class FakeBus {
  present = true
  fails = false
  abilities: string[] = ['actions', 'body-markup']
  readonly calls: BusCall[] = []
  signal: (signal: BusSignal) => void = () => undefined
  owner: (owner: string) => void = () => undefined
  #last = 0

  hasService = async (): Promise<boolean> => this.present
  follow = async (_iface: string, take: (signal: BusSignal) => void): Promise<void> => void (this.signal = take)
  watchName = async (_name: string, take: (owner: string) => void): Promise<void> => {
    this.owner = take
    take(SERVICE)
  }
  call = async (call: BusCall): Promise<readonly unknown[]> => {
    if (this.fails) throw new Error('gone')
    if (call.member === 'GetCapabilities') return [this.abilities]
    this.calls.push(call)
    return call.member === 'Notify' ? [Number(call.body![1]) || ++this.#last] : []
  }
  /** What was asked: member with the place that is used again, or closed. */
  asked(): readonly string[] {
    return this.calls.map(({ member, body }) => `${member} ${String(member === 'Notify' ? body![1] : body![0])}`)
  }
}

const cause = (key: string, more: Partial<Cause> = {}): Cause =>
  ({ key, category: 'exit-node', title: key, body: '', actions: [{ label: 'Use it', action: { kind: 'open' } }], open: { kind: 'open' }, inWindow: true, ...more })
const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

function start(bus: FakeBus | undefined): { notices: BusNotices; told: string[] } {
  const told: string[] = []
  const notices = new BusNotices({ bus, icon: '/icon.png', variant: (_signature, value) => value }, {
    onUsed: (key, action) => told.push(`used ${key} ${action}`), onClosed: (key) => told.push(`closed ${key}`), onFailed: (key) => told.push(`failed ${key}`), onShown: () => undefined,
  })
  return { notices, told }
}
const signal = (member: string, body: readonly unknown[], sender = SERVICE): BusSignal => ({ sender, iface: 'org.freedesktop.Notifications', member, body })

describe('notifications over the bus', () => {
  it('use the place of the same cause again, and close it', async () => {
    const bus = new FakeBus()
    const { notices } = start(bus)
    notices.show(cause('a'))
    notices.show(cause('b'))
    notices.show(cause('a', { title: 'other' }))
    notices.close('a')
    notices.show(cause('a'))
    await settle()
    expect(bus.asked()).toEqual(['Notify 0', 'Notify 0', 'Notify 1', 'CloseNotification 1', 'Notify 0'])
  })

  it('escape what others wrote where bodies are markup, and only there', async () => {
    const bus = new FakeBus()
    const { notices } = start(bus)
    const body = '<b>x</b> & <img src=file:///etc/passwd>'
    notices.show(cause('a', { body }))
    await settle()
    bus.abilities = []
    notices.show(cause('b', { body }))
    await settle()
    expect(bus.calls.map((call) => call.body![4])).toEqual(['&lt;b&gt;x&lt;/b&gt; &amp; &lt;img src=file:///etc/passwd&gt;', body])
    expect(bus.calls.map((call) => (call.body![5] as string[]).length)).toEqual([4, 0])
    expect(escaped('&lt;')).toBe('&amp;lt;')
  })

  it('tell which button was pressed, and that the person closed one, not that we did', async () => {
    const bus = new FakeBus()
    const { notices, told } = start(bus)
    notices.show(cause('a'))
    await settle()
    bus.signal(signal('ActionInvoked', [1, 'action-0']))
    bus.signal(signal('ActionInvoked', [1, 'default']))
    bus.signal(signal('NotificationClosed', [1, 3]))
    notices.show(cause('b'))
    await settle()
    bus.signal(signal('NotificationClosed', [2, 2]))
    expect(told).toEqual(['used a 0', 'used a open', 'closed b'])
  })

  it('believe neither strangers nor numbers and words that they do not know', async () => {
    const bus = new FakeBus()
    const { notices, told } = start(bus)
    notices.show(cause('a'))
    await settle()
    bus.signal(signal('ActionInvoked', [1, 'action-0'], ':1.66'))
    for (const body of [[99, 'action-0'], ['1', 'action-0'], [1, 'action-77'], [1, {}], [], [null, null]]) bus.signal(signal('ActionInvoked', body))
    bus.signal(signal('Nonesuch', [1]))
    expect(told).toEqual([])
  })

  it('fail where nobody shows them, where the service is gone, and where there is no bus', async () => {
    const bus = new FakeBus()
    bus.present = false
    const { notices, told } = start(bus)
    notices.show(cause('a'))
    await settle()
    bus.present = true
    bus.fails = true
    notices.show(cause('b'))
    notices.close('b')
    await settle()
    bus.fails = false
    notices.show(cause('c'))
    await settle()
    const none = start(undefined)
    none.notices.show(cause('d'))
    await settle()
    expect([...told, ...none.told]).toEqual(['failed a', 'failed b', 'failed d'])
    expect(bus.asked()).toEqual(['Notify 0'])
  })

  it('take no place of a service that ended', async () => {
    const bus = new FakeBus()
    const { notices } = start(bus)
    notices.show(cause('a'))
    await settle()
    bus.owner('')
    bus.owner(':1.8')
    notices.show(cause('a', { title: 'other' }))
    await settle()
    expect(bus.asked()).toEqual(['Notify 0', 'Notify 0'])
  })

  it('do not pile up behind a service that answers slowly', async () => {
    const bus = new FakeBus()
    bus.hasService = () => new Promise(() => {})
    const { notices, told } = start(bus)
    for (let i = 0; i < 10_000; i++) notices.show(cause(`n${i}`))
    await settle()
    expect(told.length).toBe(10_000 - 200)
  })
})
