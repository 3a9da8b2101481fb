import { describe, expect, it } from 'vitest'
import type { JournalEntry } from '../../../main/engine/base/env.ts'
import { EngineError } from '../../../main/engine/base/errors.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { UdpPort } from '../../../main/engine/dataplane/udp-port.ts'
import { HandClock, seededRandom } from '../../sim/clock.ts'

/** A machine on which some ports are taken; port 50000 and up are given out where none of the asked is free. */
function machine(configured: number, saved: number) {
  const clock = new HandClock()
  const journal: JournalEntry[] = []
  const asked: (readonly number[])[] = []
  const saves: number[] = []
  const ports: number[] = []
  const taken = new Set<number>()
  let isBroken = false
  let any = 50_000
  const rebind = (wanted: readonly number[]): number => {
    asked.push(wanted)
    if (isBroken) throw new EngineError('io', 'too many open files')
    return wanted.find((port) => !taken.has(port)) ?? any++
  }
  const udpPort = new UdpPort({
    env: { clock, random: seededRandom(1), log: silentLog, journal: { add: (event) => journal.push(event) } },
    configured, saved, rebind, save: (port) => saves.push(port), onPort: (port) => ports.push(port),
  })
  return { clock, journal, asked, saves, ports, taken, udpPort, breakSystem: (broken: boolean) => (isBroken = broken) }
}

describe('the UDP port', () => {
  it('is the one that was named, else the one of last time, else any that is then remembered', () => {
    expect(machine(41641, 7).udpPort.first).toBe(41641)
    expect(machine(0, 4242).udpPort.first).toBe(4242)
    const m = machine(0, 0)
    expect(m.udpPort.first).toBe(0)
    m.udpPort.handleStarted(51000)
    expect(m.saves).toEqual([51000])
    expect(m.ports).toEqual([51000])
  })

  it('is kept over a change of networks, and the named one is tried first', () => {
    const m = machine(41641, 0)
    m.udpPort.handleStarted(50123)
    m.udpPort.handleNetworkChange('another network')
    expect(m.asked).toEqual([[41641, 50123]])
    expect(m.ports.at(-1)).toBe(41641)
    m.taken.add(41641)
    m.udpPort.handleNetworkChange('another network')
    expect(m.asked.at(-1)).toEqual([41641])
    expect(m.ports.at(-1)).toBe(50000)
    expect(m.saves).toEqual([])
  })

  it('tells nothing and is not remembered while the server wants that, and is as before afterwards', () => {
    const m = machine(0, 4242)
    m.udpPort.handleStarted(4242)
    m.udpPort.setRandom(true)
    m.udpPort.setRandom(true)
    expect(m.asked).toEqual([[]])
    expect(m.ports.at(-1)).toBe(50000)
    m.udpPort.handleNetworkChange('another network')
    expect(m.asked.at(-1)).toEqual([50000])
    expect(m.saves).toEqual([])
    m.udpPort.setRandom(false)
    expect(m.ports.at(-1)).toBe(4242)
  })

  it('is opened anew when the sockets are of no use, more and more seldom', async () => {
    const m = machine(41641, 0)
    m.udpPort.handleStarted(41641)
    m.udpPort.handleSendError('unreachable')
    m.udpPort.handleSendError('other')
    expect(m.asked).toEqual([])
    for (let second = 0; second < 3600; second++) {
      for (let i = 0; i < 50; i++) m.udpPort.handleSendError('permission')
      await m.clock.run(1000)
    }
    expect(m.asked.length).toBeGreaterThan(5)
    expect(m.asked.length).toBeLessThan(25)
    await m.clock.run(3_600_000)
    const before = m.asked.length
    m.udpPort.handleSendError('broken')
    await m.clock.run(6000)
    m.udpPort.handleSendError('broken')
    expect(m.asked.length).toBe(before + 2)
  })

  it('is tried for again when there are no sockets to be had', async () => {
    const m = machine(41641, 0)
    m.udpPort.handleStarted(41641)
    m.breakSystem(true)
    m.udpPort.handleNetworkChange('another network')
    await m.clock.run(12_000)
    expect(m.journal.filter(({ kind }) => kind === 'rebind-failed')).toHaveLength(3)
    m.breakSystem(false)
    await m.clock.run(5_000)
    expect(m.ports.at(-1)).toBe(41641)
    await m.clock.run(60_000)
    expect(m.asked).toHaveLength(4)
  })

  it('is left alone when stopped', async () => {
    const m = machine(41641, 0)
    m.udpPort.handleStarted(41641)
    m.breakSystem(true)
    m.udpPort.handleNetworkChange('another network')
    m.udpPort.stop()
    await m.clock.run(60_000)
    expect(m.asked).toHaveLength(1)
  })
})
