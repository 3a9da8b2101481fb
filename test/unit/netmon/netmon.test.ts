import { describe, expect, it } from 'vitest'
import type { Env, JournalEntry } from '../../../main/engine/base/env.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { Netmon } from '../../../main/engine/netmon/netmon.ts'
import { networkState } from '../../../main/engine/netmon/network-state.ts'
import type { InterfaceAddress, LinkEvent, NetworkChange } from '../../../main/engine/netmon/ports.ts'

/** A world with a clock in hand, one interface list and a lever for link events. */
function world(withEvents: boolean) {
  let nowMs = 0
  let interfaces: InterfaceAddress[] = [{ name: 'eth0', ip: '192.0.2.1', internal: false }, { name: 'lo', ip: '127.0.0.1', internal: true }]
  let timers: { atMs: number; call: () => void }[] = []
  const journal: JournalEntry[] = []
  const env: Env = {
    clock: {
      nowMs: () => nowMs,
      wallMs: () => nowMs,
      after: (delayMs, call) => {
        const timer = { atMs: nowMs + delayMs, call }
        timers.push(timer)
        return () => {
          timers = timers.filter((other) => other !== timer)
        }
      },
    },
    random: { bytes: (n) => new Uint8Array(n), unit: () => 0.5 },
    log: silentLog,
    journal: { add: (event) => void journal.push(event) },
  }
  const changes: NetworkChange[] = []
  let isBroken = false
  let event: (event: LinkEvent) => void = () => {}
  const links = { start: (onEvent: typeof event) => ((event = onEvent), () => (event = () => {})) }
  const read = () => {
    if (isBroken) throw new Error('the kernel has nothing to say')
    return networkState(interfaces)
  }
  const netmon = new Netmon({ env, read, links: withEvents ? links : undefined })
  const told: string[] = []
  netmon.start({
    onChange: (change) => {
      changes.push(change)
      told.push('change')
    },
    onState: () => void told.push('state'),
  })
  return {
    netmon, changes, journal, told,
    event: (kind: LinkEvent = 'change') => event(kind),
    breakSystem: (broken: boolean) => (isBroken = broken),
    setInterfaces: (list: InterfaceAddress[]) => (interfaces = list),
    pending: () => timers.length,
    /** Moves time on, firing what is due in order. */
    advance(ms: number) {
      const end = nowMs + ms
      for (;;) {
        const due = timers.filter((timer) => timer.atMs <= end).sort((a, b) => a.atMs - b.atMs)[0]
        if (!due) break
        timers = timers.filter((timer) => timer !== due)
        nowMs = Math.max(nowMs, due.atMs)
        due.call()
      }
      nowMs = end
    },
    /** Lets time pass without firing anything, as a sleeping machine does. */
    sleep(ms: number) {
      nowMs += ms
    },
  }
}

const moved: InterfaceAddress[] = [{ name: 'wlan0', ip: '198.51.100.7', internal: false }]

describe('netmon', () => {
  it('tells once of a burst of link events that changed an address', () => {
    const w = world(true)
    w.setInterfaces(moved)
    for (let i = 0; i < 20; i++) w.event()
    w.advance(1000)
    expect(w.changes).toHaveLength(1)
    expect(w.changes[0]).toMatchObject({ major: true })
    expect(w.journal.map((entry) => entry.kind)).toEqual(['network-change'])
  })

  it('swallows link events that changed nothing', () => {
    const w = world(true)
    w.event()
    w.advance(1000)
    expect(w.changes).toEqual([])
  })

  it('tells the state whenever it is another, before the change if that is one', () => {
    const w = world(true)
    w.setInterfaces([{ name: 'eth0', ip: '192.0.2.1', internal: false, prefix: 24 }, { name: 'lo', ip: '127.0.0.1', internal: true }])
    w.event()
    w.advance(200)
    expect(w.told).toEqual(['state'])
    w.setInterfaces([{ name: 'eth0', ip: '192.0.2.2', internal: false, prefix: 24 }, { name: 'lo', ip: '127.0.0.1', internal: true }])
    w.event()
    w.event()
    w.advance(200)
    expect(w.told).toEqual(['state', 'state', 'change'])
  })

  it('finds a change by looking where the system sends no events', () => {
    const w = world(false)
    w.setInterfaces(moved)
    w.advance(5000)
    expect(w.changes).toHaveLength(1)
  })

  it('ignores loopback addresses', () => {
    const w = world(false)
    w.setInterfaces([{ name: 'eth0', ip: '192.0.2.1', internal: false }])
    w.advance(20_000)
    expect(w.changes).toEqual([])
  })

  it('looks at the first event at once and gathers those that follow', () => {
    const w = world(true)
    w.advance(1000)
    w.setInterfaces([])
    w.event()
    expect(w.changes).toHaveLength(1)
    w.setInterfaces(moved)
    for (let i = 0; i < 20; i++) w.event()
    expect(w.changes).toHaveLength(1)
    w.advance(100)
    expect(w.changes).toHaveLength(2)
    expect(w.netmon.state.interfaces).toEqual(moved)
  })

  it('sees sleep in a timer that fires late', () => {
    const w = world(true)
    w.sleep(5_000 + 900_000)
    w.advance(0)
    expect(w.changes).toHaveLength(1)
    expect(w.changes[0]).toMatchObject({ major: true, kinds: ['wake'] })
    expect(w.changes[0]!.why).toContain('slept for about 900 s')
  })

  it('sees every freeze of ten seconds, whenever it begins', () => {
    for (let phaseMs = 0; phaseMs < 5_000; phaseMs += 250) {
      const w = world(true)
      w.advance(phaseMs)
      w.sleep(10_000)
      w.advance(0)
      expect(w.changes.map(({ kinds }) => kinds)).toEqual([['wake']])
    }
  })

  it('takes a loaded machine for no sleep', () => {
    const w = world(true)
    w.sleep(5_000 + 3_000)
    w.advance(0)
    expect(w.changes).toEqual([])
  })

  it('tells one wake-up once, whoever saw it, and what changed meanwhile with it', () => {
    const w = world(true)
    w.sleep(3_600_000)
    w.setInterfaces(moved)
    w.event('wake')
    w.netmon.handlePower('resume')
    w.advance(0)
    expect(w.changes).toHaveLength(1)
    expect(w.changes[0]!.kinds).toEqual(['wake', 'address-gone', 'address-added'])
    expect(w.changes[0]!.why).toBe('the system woke up, an address of IPv4 gone that was in use, an address of IPv4 new')
    w.sleep(60_000)
    w.event('wake')
    expect(w.changes).toHaveLength(2)
  })

  it('notes that the machine goes to sleep, and takes the app at its word when it wakes', () => {
    const w = world(true)
    w.netmon.handlePower('suspend')
    expect(w.changes).toEqual([])
    expect(w.journal.map(({ kind }) => kind)).toEqual(['suspend'])
    w.netmon.handlePower('resume')
    expect(w.changes.map(({ kinds, major }) => ({ kinds, major }))).toEqual([{ kinds: ['wake'], major: true }])
  })

  it('keeps what it knew when the system does not answer', () => {
    const w = world(true)
    w.advance(1000)
    w.breakSystem(true)
    w.event()
    expect(w.changes).toEqual([])
    expect(w.netmon.state.hasV4).toBe(true)
    w.breakSystem(false)
    w.setInterfaces(moved)
    w.advance(1000)
    w.event()
    expect(w.changes).toHaveLength(1)
  })

  it('leaves no timer behind when stopped', () => {
    const w = world(true)
    w.event()
    w.netmon.stop()
    expect(w.pending()).toBe(0)
  })
})
