/**
 * Who shows tray icons on Linux, and how often the tray is drawn: with a clock in hand.
 */
import { describe, expect, it } from 'vitest'
import { desktopOf, iconFile } from '../../../main/app/tray/icons.ts'
import { PATIENCE_MS, probeTrayHost } from '../../../main/app/tray/host-probe.ts'
import { Paced } from '../../../main/app/tray/paced.ts'

class Clock {
  nowMs = 0
  #waiting: { atMs: number; run: () => void }[] = []
  later = (ms: number, run: () => void): (() => void) => {
    const one = { atMs: this.nowMs + ms, run }
    this.#waiting.push(one)
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== one)
    }
  }
  go(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const next = this.#waiting.filter((one) => one.atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs)[0]
      if (!next) break
      this.nowMs = next.atMs
      this.#waiting = this.#waiting.filter((one) => one !== next)
      next.run()
    }
    this.nowMs = untilMs
  }
}

/** A bus with a watcher that can come, go, and be without a host. */
function fakeBus(): { bus: Parameters<typeof probeTrayHost>[0]['bus']; hosted: { value: boolean }; owner: (name: string) => void; host: () => void } {
  let onOwner = (_owner: string): void => undefined
  let onSignal = (): void => undefined
  const hosted = { value: true }
  return {
    hosted, owner: (name) => onOwner(name), host: () => onSignal(),
    bus: {
      watchName: async (_name, take) => void (onOwner = take),
      follow: async (_iface, take) => void (onSignal = () => take({ sender: '', iface: '', member: 'StatusNotifierHostRegistered', body: [] })),
      property: async () => hosted.value,
    },
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('looking for a place of tray icons', () => {
  const watch = (bus: Parameters<typeof probeTrayHost>[0]['bus']): { clock: Clock; told: string[] } => {
    const clock = new Clock()
    const told: string[] = []
    probeTrayHost({ bus, later: clock.later }, { onHost: (present) => told.push(present ? 'host' : 'no host'), onState: (state) => told.push(state) })
    return { clock, told }
  }

  it('says that it is missing after ten seconds, not before, and only once', async () => {
    const { bus, owner } = fakeBus()
    const { clock, told } = watch(bus)
    owner('')
    await settle()
    clock.go(PATIENCE_MS - 1)
    expect(told).toEqual([])
    clock.go(100_000)
    expect(told).toEqual(['missing'])
  })

  it('says the same where there is no bus at all', () => {
    const { clock, told } = watch(undefined)
    clock.go(PATIENCE_MS)
    expect(told).toEqual(['missing'])
  })

  it('takes a host that comes late, one that goes, and another one in its place', async () => {
    const { bus, owner } = fakeBus()
    const { clock, told } = watch(bus)
    clock.go(PATIENCE_MS)
    owner(':1.5')
    await settle()
    expect(told.splice(0)).toEqual(['missing', 'host', 'shown'])
    owner(':1.9')
    await settle()
    expect(told.splice(0)).toEqual(['no host', 'host', 'shown'])
    owner('')
    clock.go(PATIENCE_MS)
    expect(told.splice(0)).toEqual(['no host', 'missing'])
  })

  it('waits for the host of a watcher that has none yet', async () => {
    const { bus, owner, hosted, host } = fakeBus()
    hosted.value = false
    const { told } = watch(bus)
    owner(':1.5')
    await settle()
    expect(told).toEqual([])
    hosted.value = true
    host()
    await settle()
    expect(told).toEqual(['host', 'shown'])
  })
})

describe('drawing at a pace', () => {
  it('draws a new value at once, others at the end of the pause, and the same one not at all', () => {
    const clock = new Clock()
    const drawn: number[] = []
    const paced = new Paced<number>({ everyMs: 500, nowMs: () => clock.nowMs, later: clock.later, draw: (value) => drawn.push(value) })
    paced.offer(1)
    paced.offer(1)
    for (let value = 2; value < 1000; value++) paced.offer(value)
    expect(drawn).toEqual([1])
    clock.go(500)
    expect(drawn).toEqual([1, 999])
    paced.offer(5)
    paced.offer(999)
    clock.go(5000)
    expect(drawn).toEqual([1, 999])
    paced.offer(999, true)
    expect(drawn).toEqual([1, 999, 999])
  })
})

describe('the file of an icon', () => {
  it('is a template on macOS, follows the taskbar on Windows, and the panel on Linux where it is known', () => {
    expect(iconFile('connected', { platform: 'darwin', desktop: '', dark: true })).toBe('tray-connected-Template.png')
    expect(iconFile('error', { platform: 'win32', desktop: '', dark: false })).toBe('tray-error-light.ico')
    expect(iconFile('error', { platform: 'linux', desktop: 'kde', dark: false })).toBe('tray-error-light.png')
    expect(iconFile('error', { platform: 'linux', desktop: 'gnome', dark: false })).toBe('tray-error-dark.png')
  })

  it.each([['ubuntu:GNOME', 'gnome'], ['GNOME-Classic:GNOME', 'gnome'], ['KDE', 'kde'], ['X-Cinnamon', 'x-cinnamon'], ['', ''], ['a b<script>', '']])('knows the desktop %j as %j', (said, word) => {
    expect(desktopOf({ XDG_CURRENT_DESKTOP: said })).toBe(word)
  })
})
