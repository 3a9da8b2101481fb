/**
 * What the tray's small window says: the lines that ask for a person, and the devices likely to be wanted.
 */
import { describe, expect, it } from 'vitest'
import { NO_VIEW } from '../../main/localapi/app-settings.ts'
import { devicesOf } from '../../renderer/state/devices.ts'
import { NO_TRANSFERS } from '../../main/localapi/transfers.ts'
import { attentionLines, shareOf, smallDevices, smallTransfers, switchOf } from '../../renderer/state/small.ts'
import { WHOLE } from '../e2e/scenes/machine.ts'
import { ask, exits, NOW_MS, peer, status, transfer, warning } from '../unit/app/tray-facts.ts'

const base = { policy: { Summary: { Scope: 'Device' } }, status: status('Running'), warnings: null, exit: exits(), machine: undefined, nowMs: NOW_MS }
const blocked = exits({ Chosen: { Kind: 'node', ID: 'x1', Name: 'exit-ams' }, Egress: { Kind: 'blocked', ID: 'x1', Name: 'exit-ams', Why: '' } })
const soon = warning('key-expires-soon', { expiry: new Date(NOW_MS + 2 * 86_400_000 + 1000).toISOString() })

describe('the lines that ask for a person', () => {
  it('are none when all is well, and each has its one button', () => {
    expect(attentionLines(base)).toEqual([])
    expect(attentionLines({ ...base, exit: blocked }).map(({ words, button }) => [words, button.label, button.does.kind])).toEqual([['exit-ams cannot be used, internet blocked', 'Turn off', 'exit-off']])
    const policy = { Summary: { Scope: 'Device' }, Settings: { ExitNodeIP: { Value: '100.64.0.20' } } }
    expect(attentionLines({ ...base, exit: blocked, policy })[0]!.button).toEqual({ label: 'Show', does: { kind: 'show', hash: '#/exit-nodes' } })
    expect(attentionLines({ ...base, warnings: soon }).map(({ words, button }) => [words, button.does.kind])).toEqual([['Sign-in ends in 2 days', 'renew']])
    expect(attentionLines({ ...base, status: status('NeedsLogin', { Self: peer('self', 'me', { Expired: true }) }) }).map(({ words }) => words)).toEqual(['Sign-in has ended'])
  })

  it('say once that the whole computer keeps traffic in, also while nobody knows of the exit node, and turn it off', () => {
    const machine = { ...WHOLE, State: 'holding' as const }
    expect(attentionLines({ ...base, machine: WHOLE })).toEqual([])
    for (const exit of [undefined, blocked]) {
      expect(attentionLines({ ...base, exit, machine }).map(({ words, button }) => [words, button.does.kind])).toEqual([['Nothing leaves this computer until the tunnel is back.', 'exit-off']])
    }
  })

  it('are at most two, the gravest first, and none of the small ones', () => {
    const warnings = { ...soon, ...warning('no-derp-home'), ...warning('other-vpn', {}, { Severity: 'low' }) }
    expect(attentionLines({ ...base, exit: blocked, warnings }).map(({ key }) => key)).toEqual(['exit', 'expiry'])
    expect(attentionLines({ ...base, warnings: warning('other-vpn', {}, { Severity: 'low' }) })).toEqual([])
  })
})

describe('the devices', () => {
  const all = devicesOf(status('Running', { Peer: Object.fromEntries(['alpha', 'beta', 'gamma', 'delta'].map((name, i) => [name, peer(`n${i}`, name, { Active: name === 'delta' })])) }), undefined, true)
  const names = (view: Partial<typeof NO_VIEW>, query = ''): readonly string[] => smallDevices(all, { ...NO_VIEW, ...view }, query, NOW_MS).map(({ name }) => name)

  it('are the pinned ones, those opened lately, those that packets go to, then the others; not this one', () => {
    expect(names({})).toEqual(['delta', 'alpha', 'beta', 'gamma'])
    expect(names({ pinned: ['n2'], recent: ['n1', 'n0'] })).toEqual(['gamma', 'beta', 'alpha', 'delta'])
  })

  it('leave out hidden ones, but find them, and go by their nicknames', () => {
    expect(names({ hidden: ['n0'], nicknames: { n1: 'Build box' } })).toEqual(['delta', 'Build box', 'gamma'])
    expect(names({ hidden: ['n0'] }, 'alph')).toEqual(['alpha'])
    expect(names({ nicknames: { n1: 'Build box' } }, 'build')).toEqual(['Build box'])
  })
})

describe('the large switch', () => {
  it('stands as the person wants it, and is not there when there is nothing to switch', () => {
    expect(switchOf(true, 'Running', undefined)).toBe(true)
    expect(switchOf(true, 'Starting', { WantRunning: false } as never)).toBe(false)
    expect(switchOf(true, 'NeedsLogin', undefined)).toBeUndefined()
    expect(switchOf(false, 'Running', undefined)).toBeUndefined()
  })
})

describe('files in the small window', () => {
  it('are who asks and what moves, a few of each, and how many more there are', () => {
    const rows = [...['a', 'b', 'c', 'd', 'e'].map((id) => transfer(id, 'sending')), transfer('w', 'waiting-device'), transfer('z', 'delivered')]
    const { asks, rows: shown, more } = smallTransfers({ ...NO_TRANSFERS, Rows: rows, Asks: ['x', 'y', 'z'].map((batch) => ask(batch)) })
    expect([asks.map(({ Batch }) => Batch), shown.map(({ ID }) => ID), more]).toEqual([['x', 'y'], ['a', 'b', 'c'], 3])
    expect(smallTransfers(NO_TRANSFERS)).toEqual({ asks: [], rows: [], more: 0 })
  })

  it('say how much of one is there while that is known', () => {
    expect([shareOf({ Done: 0, Size: -1 }), shareOf({ Done: 0, Size: 0 }), shareOf({ Done: 1, Size: 4 }), shareOf({ Done: 9, Size: 4 })]).toEqual([undefined, undefined, 0.25, 1])
  })
})
