import { describe, expect, it } from 'vitest'
import { closeStep, isConnected, quitChoices, quitStep } from '../../../main/app/quit-rules.ts'
import { ON_QUIT } from '../../../main/localapi/app-settings.ts'
import { STATE_NUMBER, type Notify } from '../../../main/localapi/types.ts'

const facts = { ending: false, onQuit: 'ask', hosted: true, connected: true } as const

describe('quitting', () => {
  it('asks when it would end a connection', () => {
    expect(quitStep(facts)).toEqual({ kind: 'ask' })
    expect(quitStep({ ...facts, hosted: false })).toEqual({ kind: 'ask' })
  })

  it('never asks when the system ends the session, whatever is set, and leaves a service alone then', () => {
    for (const onQuit of ON_QUIT) for (const hosted of [true, false]) expect(quitStep({ ...facts, onQuit, hosted, ending: true })).toEqual({ kind: 'quit', disconnect: false })
  })

  it('does not ask when there is nothing to lose', () => {
    for (const hosted of [true, false]) expect(quitStep({ ...facts, hosted, connected: false })).toEqual({ kind: 'quit', disconnect: false })
  })

  it('does what was remembered', () => {
    expect(quitStep({ ...facts, onQuit: 'disconnect' })).toEqual({ kind: 'quit', disconnect: false })
    expect(quitStep({ ...facts, onQuit: 'disconnect', hosted: false })).toEqual({ kind: 'quit', disconnect: true })
    expect(quitStep({ ...facts, onQuit: 'keep', hosted: false })).toEqual({ kind: 'quit', disconnect: false })
  })

  it('asks again when what was remembered cannot be: an engine of the app does not stay', () => {
    expect(quitStep({ ...facts, onQuit: 'keep' })).toEqual({ kind: 'ask' })
    expect(quitChoices(true)).toEqual(['disconnect', 'cancel'])
    expect(quitChoices(false)).toEqual(['keep', 'disconnect', 'cancel'])
  })
})

describe('closing the window', () => {
  it('says once where the app goes on, in the way that the person will see', () => {
    expect(closeStep({ told: [], tray: 'shown', canNotify: true })).toBe('hide-with-notice')
    expect(closeStep({ told: [], tray: 'shown', canNotify: false })).toBe('ask')
    for (const tray of ['missing', 'unknown', 'none'] as const) expect(closeStep({ told: [], tray, canNotify: true })).toBe('ask')
    for (const tray of ['shown', 'missing'] as const) expect(closeStep({ told: ['closed'], tray, canNotify: true })).toBe('hide')
  })
})

describe('a connection that could end', () => {
  const notify = (State: number | null, WantRunning: boolean): Pick<Notify, 'State' | 'Prefs'> => ({ State, Prefs: { WantRunning } as Notify['Prefs'] })

  it('is one that runs or is being made, and is wanted', () => {
    expect(isConnected(notify(STATE_NUMBER.Running, true))).toBe(true)
    expect(isConnected(notify(STATE_NUMBER.Starting, true))).toBe(true)
    expect(isConnected(notify(STATE_NUMBER.Stopped, false))).toBe(false)
    expect(isConnected(notify(STATE_NUMBER.NeedsLogin, true))).toBe(false)
    expect(isConnected(undefined)).toBe(false)
  })
})
