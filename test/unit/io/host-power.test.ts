import { describe, expect, it } from 'vitest'
import { EventEmitter } from 'node:events'
import { tellPower } from '../../../main/app/power.ts'
import { watchPower } from '../../../main/engine/io/host-power.ts'

describe('sleep as the app tells it', () => {
  it('comes from the system over the app to the engine', () => {
    const system = new EventEmitter()
    const port = new EventEmitter()
    const seen: string[] = []
    watchPower(Object.assign(port, { postMessage: () => {} }), (event) => seen.push(event))
    tellPower(system, (message) => void port.emit('message', { data: message }))
    system.emit('suspend')
    system.emit('resume')
    expect(seen).toEqual(['suspend', 'resume'])
  })

  it('is nothing else that the host says', () => {
    const port = new EventEmitter()
    const seen: string[] = []
    watchPower(Object.assign(port, { postMessage: () => {} }), (event) => seen.push(event))
    for (const data of [undefined, null, 7, 'resume', {}, { kind: 'power' }, { kind: 'power', event: 'shutdown' }, { kind: 'state-key', event: 'resume' }]) port.emit('message', { data })
    expect(seen).toEqual([])
  })
})
