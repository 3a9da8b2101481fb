/**
 * What settings are made of: which rows there are where, how they are found, what a policy locks, and the list of licences.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { PolicySnapshot } from '../../main/localapi/policy.ts'
import { foundPackages, parseNotices } from '../../renderer/state/notices-file.ts'
import { managerOf } from '../../main/words/held.ts'
import { heldCount, lockOf, policyChanges, policyRows } from '../../renderer/state/policy.ts'
import { foundRows, groupsOf, pageOf, pagesOf, rowsThere, type RowId, type Surroundings } from '../../renderer/state/settings-rows.ts'

const policyOf = (values: Readonly<Record<string, string | boolean>>): PolicySnapshot => ({
  Summary: { Scope: 'Device' }, Settings: Object.fromEntries(Object.entries(values).map(([key, Value]) => [key, { Value }])),
})
const rows = (change: Partial<Surroundings> = {}): readonly RowId[] => rowsThere({ app: { host: 'electron', updates: {}, noticesRefused: true }, policy: policyOf({}), signedIn: true, ...change })

describe('which rows there are', () => {
  it('leaves away what a browser window cannot do', () => {
    const gone = rows().filter((row) => !rows({ app: { host: 'web' } }).includes(row))
    expect(gone).toEqual(expect.arrayContaining(['startAtLogin', 'startDisconnected', 'onQuit', 'notice.sign-in']))
    expect(pagesOf(rows({ app: { host: 'web' } }))).not.toContain('notifications')
  })

  it('leaves it to whoever starts an engine how it starts', () => {
    expect(rows()).toContain('startDisconnected')
    expect(rows({ app: { host: 'electron', engineHost: 'other' } })).not.toContain('startDisconnected')
  })

  it('leaves away what needs somebody who is signed in', () => {
    expect(rows({ signedIn: false })).not.toContain('signOut')
    expect(rows({ signedIn: false })).toContain('accounts')
  })

  it.each([['RunExitNode', 'exitOffer'], ['ExitNodesPicker', 'failure'], ['PreferencesMenu', 'useNames']] as const)('hides what %s hides', (key, row) => {
    expect(rows({ policy: policyOf({ [key]: 'hide' }) })).not.toContain(row)
    expect(rows({ policy: policyOf({ [key]: 'show' }) })).toContain(row)
  })

  it('has every row once, in the group of its page', () => {
    const drawn = pagesOf(rows()).flatMap((page) => groupsOf(page, rows()).flatMap((group) => group.rows))
    expect(drawn.toSorted()).toEqual([...rows()].toSorted())
  })

  it('shows the first page for a word that names none', () => {
    expect(pageOf('nonesuch', pagesOf(rows()))).toBe('general')
    expect(pageOf('about', pagesOf(rows()))).toBe('about')
  })
})

describe('finding a setting', () => {
  const found = (typed: string): readonly RowId[] => foundRows(typed, rows()).flatMap((page) => page.rows)

  it('goes by label, line and page, whatever the case', () => {
    expect(found('DARK')).toEqual(['theme', 'contrast'])
    expect(found('printers')).toEqual(['lan'])
    expect(found('about versions')).toEqual(['versions'])
  })

  it('wants all words, and takes accents for nothing', () => {
    expect(found('thême')).toEqual(['theme'])
    expect(found('theme nonesuch')).toEqual([])
  })
})

describe('a policy in the window', () => {
  it('locks the prefs that it holds, by the name of its rule', () => {
    const policy = policyOf({ AllowIncomingConnections: 'never', UseTailscaleSubnets: 'user-decides', ExitNodeIP: '100.64.0.7', 'AlwaysOn.Enabled': false })
    expect(lockOf(policy, 'ShieldsUp')).toBe('AllowIncomingConnections')
    expect(lockOf(policy, 'RouteAll')).toBeUndefined()
    expect(lockOf(policy, 'ExitNodeID')).toBe('ExitNodeIP')
    expect(lockOf(policy, 'WantRunning')).toBeUndefined()
    expect(heldCount(policy)).toBe(2)
  })

  it('shows whose it is, with nothing misleading in the name', () => {
    expect(managerOf(policyOf({ ManagedByOrganizationName: 'Fjord\u202e Labs' }))).toBe('Fjord\ufffd Labs')
    expect(managerOf(policyOf({}))).toBe('the administrator of this computer')
  })

  it('counts what changed, not who says so', () => {
    expect(policyChanges(policyOf({ Hostname: 'a', RunExitNode: 'hide' }), policyOf({ Hostname: 'b', ManagedByOrganizationName: 'x' }))).toBe(2)
  })

  it('lists every rule, those that are not followed with the reason', () => {
    expect(policyRows({ Summary: { Scope: 'Device' }, Settings: { b: { Value: true }, a: { Error: 'no such key' } } })).toEqual([
      { key: 'a', value: '', fault: 'no such key' }, { key: 'b', value: 'true', fault: undefined },
    ])
  })
})

describe('the list of licences', () => {
  const text = readFileSync(new URL('../../build/THIRD-PARTY-NOTICES.txt', import.meta.url), 'utf8')
  const file = parseNotices(text)

  it('has every package of the file, each with the texts that it names', () => {
    expect(file.packages.length).toBe(text.match(/^ {2}texts: /gm)!.length)
    for (const one of file.packages) for (const number of one.texts) expect(file.texts.get(number), `${one.name} [${number}]`).toMatch(/\w/)
  })

  it('finds by name and by licence', () => {
    expect(foundPackages(file, 'React-DOM').map((one) => one.name)).toEqual(['react-dom'])
    expect(foundPackages(file, 'MPL-2.0').length).toBeGreaterThan(0)
    expect(foundPackages(file, '').length).toBe(file.packages.length)
  })
})
