import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_SETTINGS } from '../../main/localapi/app-settings.ts'
import type { AppState, Egress, ExitNodeRow, ExitNodesPage, Status } from '../../preload/contract.ts'
import {
  checkedWords, exitGroups, exitWords, filterExits, heldStill, lanWords, nextExit, pauseLeft, proofLines, spokenExit, type ExitGroup, type ExitRow,
} from '../../renderer/state/exit-nodes.ts'
import { parseRoute } from '../../renderer/state/route.ts'
import { headline } from '../../main/words/states.ts'

const NOW_MS = Date.parse('2026-05-01T12:00:00Z')
const at = (secondsAgo: number): string => new Date(NOW_MS - secondsAgo * 1000).toISOString()
const node = (id: string, over: Partial<ExitNodeRow> = {}): ExitNodeRow => ({ ID: id, Name: `exit-${id}`, IP: '100.64.0.9', Owner: 'mia', Online: true, Suggested: false, ...over })
const exit: Egress = { Kind: 'exit', ID: 'ams', Name: 'exit-ams', Why: 'you chose it' }
const page = (over: Partial<ExitNodesPage> = {}): ExitNodesPage => ({
  Version: 1, Chosen: { Kind: 'node', ID: 'ams', Name: 'exit-ams' }, Egress: exit, AllowLAN: false, LAN: [], Failure: 'block',
  Nodes: [node('ams'), node('nyc', { LatencyMs: 96 })], Proofs: [], Offer: { Advertised: false, Approved: false, Flows: 0 }, ...over,
})
const layout = (groups: readonly ExitGroup[]): unknown => groups.map((group) => [group.name, group.rows.map((row) => row.id)])

describe('the list of exit nodes', () => {
  it('has the suggested one first with its reason, then each owner’s by name', () => {
    const groups = exitGroups(page({ Nodes: [node('b10', { Owner: 'bob' }), node('b2', { Owner: 'bob' }), node('ams', { Suggested: true, Why: 'closest' }), node('a')] }), [], '')
    expect(layout(groups)).toEqual([['Suggested', ['ams']], ['bob', ['b2', 'b10']], ['mia', ['a']]])
    expect(groups[0]!.rows[0]).toMatchObject({ note: 'Closest', chosen: true })
  })

  it('marks the one that traffic goes through, whichever was chosen', () => {
    const marks = (over: Partial<ExitNodesPage>): unknown => exitGroups(page(over), [], '')[0]!.rows.map((row) => [row.id, row.chosen, row.inUse])
    expect(marks({ Egress: { Kind: 'exit', ID: 'nyc', Name: 'exit-nyc', Why: 'exit-ams does not answer' } })).toEqual([['ams', true, false], ['nyc', false, true]])
    expect(marks({ Chosen: { Kind: 'auto', ID: 'ams', Name: 'exit-ams' } })).toEqual([['ams', false, true], ['nyc', false, false]])
    expect(marks({ Egress: { Kind: 'blocked', ID: 'ams', Name: 'exit-ams', Why: '' } })).toEqual([['ams', true, false], ['nyc', false, false]])
  })

  it('says of one that cannot be used why, aloud too', () => {
    const [row] = exitGroups(page({ Nodes: [node('fra', { Unavailable: 'offline, says the server' })] }), [], '')[0]!.rows
    expect(row!.unavailable).toBe('Offline, says the server')
    expect(spokenExit(row!)).toBe('exit-fra. Not available: Offline, says the server.')
  })

  it('finds by name, owner, place or address, every word of it', () => {
    const groups = exitGroups(page({ Nodes: [node('ams', { Place: 'Amsterdam, Netherlands' }), node('nyc', { Place: 'New York' })] }), [], '')
    expect(layout(filterExits(groups, 'mia AMSTER'))).toEqual([['mia', ['ams']]])
    expect(filterExits(groups, 'oslo')).toEqual([])
  })

  it('holds still under the pointer: known rows stay where they are, new ones come last, lost ones go', () => {
    const rowNamed = (id: string): ExitRow => exitGroups(page({ Nodes: [node(id)] }), [], '')[0]!.rows[0]!
    const ids = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'))
    const groups = fc.tuple(ids, fc.integer({ min: 0, max: 6 })).map(([all, cut]): readonly ExitGroup[] =>
      [{ name: 'Suggested', rows: all.slice(0, cut).map(rowNamed) }, { name: 'mia', rows: all.slice(cut).map(rowNamed) }].filter((group) => group.rows.length > 0))
    const flat = (list: readonly ExitGroup[]): string[] => list.flatMap((group) => group.rows.map((row) => row.id))
    fc.assert(fc.property(groups, groups, (before, now) => {
      const held = heldStill(before, now)
      expect(flat(held).toSorted()).toEqual(flat(now).toSorted())
      const kept = flat(now).filter((id) => flat(before).includes(id))
      expect(flat(held).filter((id) => kept.includes(id))).toEqual(flat(before).filter((id) => kept.includes(id)))
      for (const id of kept) expect(held.find((group) => group.rows.some((row) => row.id === id))!.name).toBe(before.find((group) => group.rows.some((row) => row.id === id))!.name)
    }))
  })

  it('offers as the next one the suggested one, else the nearest that works, never the one in use', () => {
    const nodes = [node('ams', { Suggested: true }), node('far', { LatencyMs: 200 }), node('near', { LatencyMs: 20 }), node('gone', { LatencyMs: 1, Unavailable: 'offline' })]
    expect(nextExit(page({ Nodes: nodes }))?.id).toBe('near')
    expect(nextExit(page({ Chosen: { Kind: 'none' }, Nodes: nodes }))?.id).toBe('ams')
    expect(nextExit(page({ Nodes: [node('ams')] }))).toBeUndefined()
  })
})

describe('proofs', () => {
  it('are four, and one that nobody looked at is not checked, whatever it says', () => {
    const lines = proofLines(page({ Proofs: [
      { What: 'ipv4', Ok: true, Value: '198.51.100.24, seen by the relay fra', At: at(40) },
      { What: 'ipv6', Value: 'not checked: no relay of the network has an IPv6 address to ask', At: at(40) },
      { What: 'names', Ok: false, Value: '0 of 3', At: at(5) },
    ] }), NOW_MS)
    expect(lines.map((line) => [line.state, line.words, line.value, line.detail, line.age])).toEqual([
      ['yes', 'IPv4 leaves through exit-ams', '198.51.100.24', 'Seen by the relay fra.', '40 s ago'],
      ['unknown', 'IPv6: not checked', '', 'No relay of the network has an IPv6 address to ask.', ''],
      ['no', 'Names not answered by exit-ams', '0 of 3', '', '5 s ago'],
      ['unknown', 'Traffic past exit-ams: not checked', '', '', ''],
    ])
  })

  it('that gave no answer say so with their age, and are none', () => {
    const [line] = proofLines(page({ Proofs: [{ What: 'ipv4', Value: 'not known: no relay answered by IPv4 through it', At: at(7) }] }), NOW_MS)
    expect(line).toEqual({ what: 'ipv4', state: 'unknown', words: 'IPv4: not known', value: '', detail: 'No relay answered by IPv4 through it.', age: '7 s ago' })
  })

  it('are as old as the oldest of them', () => {
    expect(checkedWords(page(), NOW_MS)).toBe('Not checked yet.')
    expect(checkedWords(page({ Proofs: [{ What: 'ipv4', Ok: true, Value: '', At: at(40) }, { What: 'ipv6', Ok: true, Value: '', At: at(300) }, { What: 'leak', Value: '', At: at(9000) }] }), NOW_MS)).toBe('Checked 5 min ago.')
  })
})

describe('what becomes of internet traffic', () => {
  const egress: readonly [Egress, string][] = [
    [{ Kind: 'direct' }, 'exit-ams, not in use'],
    [exit, 'exit-ams'],
    [{ Kind: 'blocked', ID: 'ams', Name: 'exit-ams', Why: 'it is offline' }, 'exit-ams, blocked'],
    [{ Kind: 'paused', ID: 'ams', Name: 'exit-ams', Why: 'sign in first' }, 'exit-ams, paused'],
  ]
  it.each(egress)('%o is "%s" in the sidebar', (Egress, words) => {
    expect(exitWords(page({ Egress })).words).toBe(words)
  })

  it('is none without one, and unknown before the engine has said', () => {
    expect(exitWords(page({ Chosen: { Kind: 'none' }, Egress: { Kind: 'direct' } })).words).toBe('None')
    expect(exitWords(undefined).words).toBe('not known yet')
    expect(exitWords(page({ Chosen: { Kind: 'auto', ID: '', Name: '' }, Egress: { Kind: 'blocked', ID: '', Name: '', Why: 'none is online' } })).words).toBe('none found, blocked')
  })

  it('is the headline when it is blocked, but not before what is graver', () => {
    const app = (engine: AppState['engine']): AppState => ({ engine, sinceMs: 0, restarts: 0, host: 'web', platform: 'linux', version: '1', settings: DEFAULT_SETTINGS, languages: [], tray: 'none' })
    const status = { BackendState: 'Running', Self: {} } as Status
    const blocked = page({ Egress: { Kind: 'blocked', ID: 'ams', Name: 'exit-ams', Why: 'it is offline' } })
    expect(headline(app('running'), status, blocked)).toEqual({ words: 'Internet blocked', tone: 'attention' })
    expect(headline(app('running'), status, page()).tone).toBe('exit-node')
    expect(headline(app('running'), { ...status, BackendState: 'Stopped' }, blocked).words).toBe('Disconnected')
    expect(headline(app('stopped'), status, blocked).words).toBe('Engine stopped')
  })

  it('counts the time of a pause down and never below nothing', () => {
    const paused = (seconds: number): Egress => ({ Kind: 'paused', ID: 'ams', Name: 'exit-ams', Why: '', Until: at(-seconds) })
    expect(pauseLeft(paused(252), NOW_MS)).toBe('4 min 12 s')
    expect(pauseLeft(paused(9), NOW_MS)).toBe('9 s')
    expect(pauseLeft(paused(-1), NOW_MS)).toBe('')
    expect(pauseLeft({ Kind: 'paused', ID: '', Name: '', Why: '' }, NOW_MS)).toBe('')
  })

  it('names the local networks that stay or go', () => {
    const nets = (count: number): ExitNodesPage['LAN'] => Array.from({ length: count }, (_, i) => ({ Prefix: `10.0.${i}.0/24`, Interface: 'eth0' }))
    expect(lanWords(page({ LAN: nets(1), AllowLAN: true }))).toBe('10.0.0.0/24 (eth0) stays usable.')
    expect(lanWords(page({ LAN: nets(2) }))).toBe('10.0.0.0/24 (eth0) and 10.0.1.0/24 (eth0) are not reachable while an exit node is in use.')
    expect(lanWords(page({ LAN: nets(9), AllowLAN: true }))).toBe('10.0.0.0/24 (eth0), 10.0.1.0/24 (eth0) and 7 more stay usable.')
    expect(lanWords(page())).toBe('This computer is on no local network now.')
  })
})

it('a place is found by its address, and anything else is the list of devices', () => {
  expect(parseRoute('#/exit-nodes')).toEqual({ place: 'exit-nodes' })
  expect(parseRoute('#/devices/n%201')).toEqual({ place: 'devices', device: 'n 1', tab: 'path' })
  for (const hash of ['', '#/exit-nodes/x', '#/devices/%', '#/nonesuch']) expect(parseRoute(hash)).toEqual({ place: 'devices', device: undefined, tab: 'path' })
})
