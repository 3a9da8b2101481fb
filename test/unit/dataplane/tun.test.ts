import { describe, expect, it } from 'vitest'
import { EngineError } from '../../../main/engine/base/errors.ts'
import { Tun, type TunPlane } from '../../../main/engine/dataplane/tun.ts'

const WANT = { name: 'bowline0', mtu: 1280, mark: 0x80000 }

class Plane implements TunPlane {
  isRunning = true
  hasTun = false
  refuse: EngineError | undefined
  gone: (why: string) => void = () => {}
  readonly did: string[] = []

  openTun(): { name: string; index: number } {
    this.did.push('open')
    if (this.refuse) throw this.refuse
    this.hasTun = true
    return { name: 'bowline0', index: 7 }
  }

  closeTun(): void {
    this.did.push('close')
    this.hasTun = false
  }

  setForwarding(by: string): void {
    this.did.push(`forwarding ${by}`)
  }

  setMark(mark: number | undefined): void {
    this.did.push(`mark ${mark}`)
  }

  onTunGone(call: (why: string) => void): void {
    this.gone = call
  }
}

describe('the device of the whole-computer mode', () => {
  it('marks the sockets before there is a device, and unmarks them after it', async () => {
    const plane = new Plane()
    const tun = new Tun(plane)
    expect(await tun.open(WANT)).toEqual({ name: 'bowline0', index: 7 })
    await tun.close()
    expect(plane.did).toEqual(['mark 524288', 'open', 'close', 'mark undefined'])
  })

  it('takes the mark back when there is no device to be had, and says why', async () => {
    const plane = new Plane()
    plane.refuse = new EngineError('access-denied', 'not allowed')
    await expect(new Tun(plane).open(WANT)).rejects.toMatchObject({ code: 'access-denied' })
    expect(plane.did).toEqual(['mark 524288', 'open', 'mark undefined'])
  })

  it('leaves the mark of a device that is there already', async () => {
    const plane = new Plane()
    const tun = new Tun(plane)
    await tun.open(WANT)
    plane.refuse = new EngineError('already-running', 'there is one')
    await expect(tun.open(WANT)).rejects.toMatchObject({ code: 'already-running' })
    expect(plane.did.at(-1)).toBe('open')
  })

  it('has nothing to close once the data plane is stopped', async () => {
    const plane = new Plane()
    const tun = new Tun(plane)
    await tun.open(WANT)
    plane.isRunning = false
    plane.hasTun = false
    await tun.close()
    tun.setForwarding('engine')
    expect(plane.did).toEqual(['mark 524288', 'open'])
  })

  it('passes on that the device is gone', () => {
    const plane = new Plane()
    const heard: string[] = []
    new Tun(plane).onGone((why) => heard.push(why))
    plane.gone('somebody deleted it')
    expect(heard).toEqual(['somebody deleted it'])
  })
})
