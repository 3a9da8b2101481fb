/**
 * The list of devices without a window: what it is made of, found by, grouped and ordered by, and what leaves it as a table.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NO_VIEW } from '../../main/localapi/app-settings.ts'
import type { BlockedRow, PathRow, PathsPage, PeerStatus, Status } from '../../preload/contract.ts'
import { deviceCount, DeviceTable, devicesOf, type Device } from '../../renderer/state/devices.ts'
import { COLUMNS, columnsOf, fitting, movedColumn, template, USUAL_COLUMNS, withColumn } from '../../renderer/state/devices-columns.ts'
import { csvOf } from '../../renderer/state/devices-csv.ts'
import { GROUPINGS, groupsOf, Lines, placesOf } from '../../renderer/state/devices-groups.ts'
import { BY_NAME, held, nextSort, sorted } from '../../renderer/state/devices-order.ts'
import { filterDevices, hasWord, NO_MARKS, quoted, toggled, wordsOf } from '../../renderer/state/devices-query.ts'
import { holdsRoute } from '../../renderer/state/devices-route.ts'
import { accepted, suggestions } from '../../renderer/state/devices-suggest.ts'
import { blockedToday, talkSummary } from '../../renderer/state/devices-talk.ts'
import { byShownName, marked, named, nicknameOf } from '../../renderer/state/devices-view.ts'
import { keepPaths, keepStatus } from '../../renderer/state/keep.ts'

const ZERO = '0001-01-01T00:00:00Z'
const peer = (over: Partial<PeerStatus>): PeerStatus => ({
  ID: 'n1', PublicKey: 'nodekey:1', HostName: 'host', DNSName: 'nas.lab.internal.', OS: 'linux', UserID: 1, TailscaleIPs: ['100.64.0.2'], Addrs: null, CurAddr: '',
  Relay: 'fra', PeerRelay: '', RxBytes: 0, TxBytes: 0, Created: '', LastWrite: '', LastSeen: ZERO, LastHandshake: ZERO, Online: true,
  ExitNode: false, ExitNodeOption: false, Active: true, PeerAPIURL: null, TaildropTarget: 0, NoFileSharingReason: '', InNetworkMap: true, InMagicSock: true, InEngine: true, ...over,
})
const row = (over: Partial<PathRow>): PathRow => ({ peer: 'nodekey:1', name: 'nas', ip: '100.64.0.2', kind: 'relay', since: '2026-01-01T00:00:00Z', active: false, why: 'relayed: no reply yet', ...over })
const status = (over: Partial<Status>): Status => ({
  Version: '1', TUN: false, BackendState: 'Running', AuthURL: '', TailscaleIPs: [], Self: peer({ ID: 'self', PublicKey: 'nodekey:0', DNSName: 'me.lab.internal.' }), Health: [],
  MagicDNSSuffix: '', CurrentTailnet: null, CertDomains: null, ExtraRecords: null, Peer: {}, User: { '2': { ID: 2, LoginName: 'bob', DisplayName: 'Bob Núñez' } }, ClientVersion: null, ...over,
})
const lab = status({ Peer: {
  a: peer({ ID: 'a', PublicKey: 'nodekey:1', UserID: 1, IPNVersion: '1.102.5-t12ab' }),
  b: peer({ ID: 'b', PublicKey: 'nodekey:2', UserID: 2, DNSName: 'bobs.lab.internal.', OS: 'iOS', TailscaleIPs: ['100.64.0.30', 'fd7a:115c:a1e0::30'], Online: false, Active: false, IPNVersion: '1.80.0' }),
  c: peer({ ID: 'c', PublicKey: 'nodekey:3', Tags: ['tag:db'], DNSName: 'db.lab.internal.', Active: false, PrimaryRoutes: ['10.2.0.0/16'], AllowedIPs: ['100.64.0.2/32', '10.2.0.0/16'], ExitNodeOption: true }),
} })
const paths: PathsPage = { paths: [row({ kind: 'direct', addr: '192.168.1.2:1', latencyMs: 2 })] }
const all = devicesOf(lab, paths, true)
const names = (devices: readonly Device[]): string[] => devices.map((device) => device.name)

/** Networks of any shape, small values so that things collide. */
const anyPeer = fc.record({ ID: fc.integer({ min: 1, max: 60 }).map(String), name: fc.stringMatching(/^[a-c]{1,2}[0-9]{0,2}$/), UserID: fc.integer({ min: 1, max: 3 }), tags: fc.array(fc.constantFrom('tag:db', 'tag:ci'), { maxLength: 2 }), Online: fc.boolean(), latencyMs: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }) })
const anyNetwork = fc.uniqueArray(anyPeer, { selector: (one) => one.ID, maxLength: 30 }).map((ones) => devicesOf(
  status({ Peer: Object.fromEntries(ones.map((one) => [one.ID, peer({ ID: one.ID, PublicKey: `nodekey:${one.ID}`, DNSName: `${one.name}.lab.`, UserID: one.UserID, Online: one.Online, ...(one.tags.length > 0 ? { Tags: one.tags } : {}) })])) }),
  { paths: ones.map((one) => row({ peer: `nodekey:${one.ID}`, kind: 'direct', addr: '198.51.100.1:1', ...(one.latencyMs === undefined ? {} : { latencyMs: one.latencyMs }) })) }, true))

describe('devices', () => {
  it('put this one first and sort the rest by name, numbers by their value', () => {
    expect(names(all)).toEqual(['me', 'bobs', 'db', 'nas'])
    expect(all[0]!.path.words).toBe('This device')
    const many = status({ Peer: Object.fromEntries(['web-10', 'web-2', 'Web-1', 'äpfel', 'zoo'].map((name) => [name, peer({ ID: name, PublicKey: name, DNSName: `${name}.x.` })])) })
    expect(names(devicesOf(many, undefined, true))).toEqual(['me', 'äpfel', 'Web-1', 'web-2', 'web-10', 'zoo'])
    expect(deviceCount(lab)).toBe(4)
  })

  it('keep their identity until something of them changes', () => {
    const table = new DeviceTable()
    const first = table.look(lab, paths.paths, true)
    const again = keepStatus(lab, JSON.parse(JSON.stringify(lab)) as Status)
    expect(table.look(again, keepPaths(paths, JSON.parse(JSON.stringify(paths)) as PathsPage).paths, true)).toBe(first)
    const moved = keepStatus(again, { ...again, Peer: { ...again.Peer, b: { ...again.Peer!['b']!, DNSName: 'zed.lab.internal.' } } })
    const after = table.look(moved, paths.paths, true)
    expect(names(after)).toEqual(['me', 'db', 'nas', 'zed'])
    expect(after.filter((device) => !first.includes(device)).map((device) => device.name)).toEqual(['zed'])
    expect(table.look(moved, paths.paths, false).every((device) => device.isSelf || device.path.kind === 'unknown')).toBe(true)
  })

  it('made of looks one after another are the same as made of the last one', () => {
    fc.assert(fc.property(fc.array(fc.uniqueArray(anyPeer, { selector: (one) => one.ID, maxLength: 12 }), { minLength: 1, maxLength: 4 }), (looks) => {
      const table = new DeviceTable()
      let last = status({})
      for (const ones of looks) {
        last = keepStatus(last, status({ Peer: Object.fromEntries(ones.map((one) => [one.ID, peer({ ID: one.ID, PublicKey: one.ID, DNSName: `${one.name}.lab.`, Online: one.Online })])) }))
        expect(table.look(last, undefined, true)).toEqual(devicesOf(last, undefined, true))
      }
    }))
  })
})

describe('the search', () => {
  it.each([
    ['nas', ['nas']], ['owner:bob', ['bobs']], ['nunez', ['bobs']], ['NÚÑEZ', ['bobs']], ['owner:"bob nú"', ['bobs']], ['tag:db', ['db']], ['path:direct', ['nas']], ['path:relayed', []], ['path:idle', ['db']],
    ['path:offline', ['bobs']], ['is:mine na', ['nas']], ['is:people', ['bobs']], ['is:tagged', ['db']], ['is:online', ['me', 'db', 'nas']], ['is:nonsense', []], ['os:ios', ['bobs']], ['os:linux 100.64', ['me', 'db', 'nas']],
    ['100.64.0.30', ['bobs']], ['fd7a:115c:a1e0::30', ['bobs']], ['route:10.2.0.0/16', ['db']], ['route:10.2.3.4', ['db']], ['route:10.3.0.0/16', []], ['can:exit', ['db']], ['can:fly', []],
    ['version:<1.100', ['bobs']], ['version:>=1.80', ['bobs', 'nas']], ['version:1.102', ['nas']], ['version:1.10', []], ['path:', ['me', 'bobs', 'db', 'nas']], ['nothing', []], ['', ['me', 'bobs', 'db', 'nas']],
  ])('for %s finds %j', (query, found) => {
    expect(names(filterDevices(all, query))).toEqual(found)
  })

  it('finds nicknames, pinned, hidden and blocked devices, and shows hidden ones only when asked', () => {
    const marks = { pinned: new Set(['a']), hidden: new Set(['b']), nicknames: { c: 'Ärger' }, blocked: new Set(['nodekey:3']) }
    const found = (query: string): string[] => names(filterDevices(all, query, marks))
    expect(found('')).toEqual(['me', 'db', 'nas'])
    expect(found('bobs')).toEqual([])
    expect(found('is:hidden')).toEqual(['bobs'])
    expect(found('is:pinned')).toEqual(['nas'])
    expect(found('arger')).toEqual(['db'])
    expect(found('is:blocked')).toEqual(['db'])
  })

  it('with one word more never finds more, whatever is typed', () => {
    fc.assert(fc.property(anyNetwork, fc.string({ maxLength: 12 }), fc.constantFrom('a', 'is:mine', 'path:direct', 'tag:db', '"', 'version:<2', 'owner:"x', ':'), (devices, query, more) => {
      const found = filterDevices(devices, query)
      const fewer = filterDevices(found, more)
      expect(fewer.every((device) => found.includes(device))).toBe(true)
      // The order stays.
      expect(found).toEqual(devices.filter((device) => found.includes(device)))
    }))
  })

  it('reads what is typed into words that together are the text', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('a', ' ', '"', ':', 'tag:', 'é', '\t') }), (query) => {
      for (const word of wordsOf(query)) expect(query.slice(word.start, word.start + word.raw.length)).toBe(word.raw)
      expect(wordsOf(query).map((word) => word.raw).join('').replaceAll(/\s/g, '')).toBe(query.replaceAll(/\s/g, ''))
    }))
  })

  it('puts a word in and takes it out again', () => {
    expect(toggled('nas  is:online', 'is:mine')).toBe('nas is:online is:mine')
    expect(toggled('nas IS:mine web', 'is:mine')).toBe('nas web')
    expect(hasWord('a is:mine', 'is:mine')).toBe(true)
    expect(quoted('Mateo Ruiz')).toBe('"Mateo Ruiz"')
  })

  it('offers keys, then values of this network, and puts the chosen one in', () => {
    const offers = (query: string): string[] => suggestions(query, query.length, all).map((offer) => offer.insert)
    expect(offers('o')).toEqual(['owner:', 'os:'])
    expect(offers('nas pa')).toEqual(['path:'])
    expect(offers('owner:')).toEqual(['owner:You', 'owner:"Bob Núñez"'])
    expect(offers('owner:nun')).toEqual(['owner:"Bob Núñez"'])
    expect(offers('path:rel')).toEqual(['path:relayed'])
    expect(offers('path:relayed')).toEqual([])
    expect(offers('nas')).toEqual([])
    expect(offers('route:')).toEqual(['route:10.2.0.0/16'])
    expect(accepted('nas ow web', 6, { insert: 'owner:', key: 'owner', isKey: true })).toEqual({ query: 'nas owner:web', caret: 10 })
    expect(accepted('tag:d', 5, { insert: 'tag:db', key: 'tag', isKey: false })).toEqual({ query: 'tag:db ', caret: 7 })
  })

  it('knows networks by an address in them, not the way to the internet', () => {
    expect(holdsRoute(['0.0.0.0/0', '::/0'], '10.0.0.1')).toBe(false)
    expect(holdsRoute(['0.0.0.0/0'], '0.0.0.0/0')).toBe(true)
    expect(holdsRoute(['10.0.0.0/8'], '10.2.0.0/16')).toBe(true)
    expect(holdsRoute(['10.2.0.0/16'], '10.0.0.0/8')).toBe(false)
    expect(holdsRoute(['10.2.0.0/16'], '999.2.0.0/16')).toBe(false)
    expect(holdsRoute(['fd00:1::/64'], 'fd00')).toBe(true)
  })
})

describe('groups', () => {
  it('are yours, people and tagged; pinned devices come before them and nowhere else', () => {
    const layout = (pinned: readonly string[]): unknown => groupsOf(all, 'kind', new Set(pinned)).map((group) => [group.name, names(group.devices)])
    expect(layout([])).toEqual([['Yours', ['me', 'nas']], ['People', ['bobs']], ['Tagged', ['db']]])
    expect(layout(['c', 'b'])).toEqual([['Pinned', ['bobs', 'db']], ['Yours', ['me', 'nas']]])
  })

  it('may be tags, owners, networks or none', () => {
    const layout = (by: (typeof GROUPINGS)[number]): string[] => groupsOf(all, by).map((group) => `${group.name}: ${names(group.devices).join(' ')}`)
    expect(layout('tag')).toEqual(['tag:db: db', 'No tag: me bobs nas'])
    expect(layout('owner')).toEqual(['Yours: me nas', 'Bob Núñez: bobs', 'Tagged: db'])
    expect(layout('network')).toEqual(['10.2.0.0/16: db', 'No network behind it: me bobs nas'])
    expect(layout('none')).toEqual([': me bobs db nas'])
  })

  it('lose no device and show none twice; folded ones show their head alone', () => {
    fc.assert(fc.property(anyNetwork, fc.constantFrom(...GROUPINGS), fc.array(fc.integer({ min: 1, max: 60 }).map(String)), (devices, by, pinned) => {
      const groups = groupsOf(devices, by, new Set(pinned))
      const ids = groups.flatMap((group) => group.devices.map((device) => device.id))
      expect(ids.toSorted()).toEqual(devices.map((device) => device.id).toSorted())
      const lines = [...new Lines(groups, new Set(groups.map((group) => group.key)))]
      expect(lines.filter((line) => line.kind === 'device')).toHaveLength(by === 'none' ? devices.length : 0)
      expect(lines.flatMap((line) => (line.kind === 'group' ? [line.count] : [])).reduce((sum, n) => sum + n, 0)).toBe(by === 'none' ? 0 : devices.length)
      for (const folded of [new Set<string>(), new Set(groups.slice(1).map((group) => group.key))]) {
        const open = new Lines(groups, folded)
        const written = groups.flatMap((group) => [...(group.name === '' ? [] : [`group ${group.key}`]), ...(folded.has(group.key) && group.name !== '' ? [] : group.devices.map((device) => device.id))])
        expect([...open].map((line) => line.key)).toEqual(written)
        expect(open.length).toBe(written.length)
        expect(written.map((key) => open.indexOf(key))).toEqual(written.map((_, index) => index))
        expect(open.firstDevice).toBe([...open].find((line) => line.kind === 'device')?.key)
        expect([...open.places()]).toEqual(written.map((key, index) => [key, index]))
        expect(open.heads.map((index) => open.at(index)!.kind)).toEqual(groups.filter((group) => group.name !== '').map(() => 'group'))
        expect([open.at(-1), open.at(open.length), open.indexOf('nobody')]).toEqual([undefined, undefined, undefined])
      }
    }))
  })
})

describe('the lines that are drawn', () => {
  it('are those in view and the kept ones, each once and in order, whatever the list has', () => {
    fc.assert(fc.property(fc.integer({ min: -20, max: 40 }), fc.integer({ min: -20, max: 60 }), fc.integer({ min: 0, max: 40 }), fc.array(fc.integer({ min: -1, max: 50 }), { maxLength: 3 }), (start, end, count, kept) => {
      const wanted = Array.from({ length: count }, (_, place) => place).filter((place) => (place >= start && place < end) || kept.includes(place))
      expect(placesOf(start, end, count, kept)).toEqual(wanted)
    }))
  })
})

describe('the order', () => {
  it('turns round at a second press and is by name at a third', () => {
    const once = nextSort(BY_NAME, 'heard')
    expect([once, nextSort(once, 'heard'), nextSort(nextSort(once, 'heard'), 'heard')]).toEqual([{ column: 'heard', isDown: false }, { column: 'heard', isDown: true }, BY_NAME])
  })

  it('is by the column, unknown values last in both directions, equal ones by name', () => {
    const by = (column: (typeof COLUMNS)[number], isDown = false): string[] => names(sorted(all, { column, isDown }))
    expect(by('roundTrip')).toEqual(['nas', 'me', 'bobs', 'db'])
    expect(by('roundTrip', true)).toEqual(['nas', 'me', 'bobs', 'db'])
    expect(by('address')).toEqual(['me', 'db', 'nas', 'bobs'])
    expect(by('server', true)).toEqual(['bobs', 'me', 'db', 'nas'])
    fc.assert(fc.property(anyNetwork, fc.constantFrom(...COLUMNS), (devices, column) => {
      expect(sorted(devices, { column, isDown: false }).map((device) => device.id).toSorted()).toEqual(devices.map((device) => device.id).toSorted())
      // Equal values keep the order they came in.
      const same = devices.map((device) => ({ ...device, path: { ...device.path, latencyMs: 1 } }))
      expect(sorted(same, { column: 'roundTrip', isDown: true })).toEqual(same)
    }))
  })

  it('that is held moves no device, puts new ones behind, and says when it is old', () => {
    fc.assert(fc.property(anyNetwork, fc.constantFrom(...COLUMNS), fc.integer({ min: 0, max: 30 }), (devices, column, cut) => {
      const before = devices.slice(0, cut).map((device) => device.id)
      const wanted = sorted(devices, { column, isDown: true })
      const { devices: kept, isStale } = held(before, wanted)
      expect(kept.map((device) => device.id).slice(0, before.length)).toEqual(before)
      expect(kept.slice(before.length)).toEqual(wanted.filter((device) => !before.includes(device.id)))
      expect(isStale).toBe(kept.some((device, i) => device !== wanted[i]))
    }))
  })
})

describe('columns', () => {
  it('are known ones once, the name first', () => {
    expect(columnsOf([])).toEqual(USUAL_COLUMNS)
    expect(columnsOf(['heard', 'nonsense', 'name', 'heard', 'path'])).toEqual(['name', 'heard', 'path'])
    expect(columnsOf(['name'])).toEqual(['name'])
  })

  it('come, go and move, never before the name', () => {
    expect(withColumn(USUAL_COLUMNS, 'os', true).at(-1)).toBe('os')
    expect(withColumn(USUAL_COLUMNS, 'path', false)).not.toContain('path')
    expect(movedColumn(['name', 'path', 'heard'], 'heard', -1)).toEqual(['name', 'heard', 'path'])
    expect(movedColumn(['name', 'path', 'heard'], 'path', -1)).toEqual(['name', 'path', 'heard'])
  })

  it('give way where there is no room; a small window has the three that matter', () => {
    expect(fitting(USUAL_COLUMNS, 55, false)).toEqual(USUAL_COLUMNS)
    expect(fitting(USUAL_COLUMNS, 45, false)).toEqual(['name', 'address', 'path', 'roundTrip', 'heard'])
    expect(fitting(USUAL_COLUMNS, 40, true)).toEqual(['name', 'path', 'roundTrip'])
    expect(fitting(USUAL_COLUMNS, 22, true)).toEqual(['name', 'path'])
    expect(template(['name', 'roundTrip'])).toBe('minmax(0rem, 14fr) minmax(4.5rem, 2fr)')
  })
})

describe('a view of an account', () => {
  it('pins, hides and names devices', () => {
    const view = marked(marked(NO_VIEW, 'pinned', ['a', 'b'], true), 'pinned', ['a'], false)
    expect(view.pinned).toEqual(['b'])
    expect(nicknameOf(named(view, 'a', ' The\u202eNAS '), 'a')).toBe('The\ufffdNAS')
    expect(named(named(view, 'a', 'x'), 'a', ' ').nicknames).toEqual({})
    expect(nicknameOf(view, 'toString')).toBe('')
    expect(nicknameOf(named(view, 'a', 'x'.repeat(10_000)), 'a')).toHaveLength(60)
  })

  it('orders by the names that the person sees', () => {
    expect(names(byShownName(all, named(NO_VIEW, 'a', 'Aaa')))).toEqual(['me', 'nas', 'bobs', 'db'])
    expect(byShownName(all, NO_VIEW)).toBe(all)
  })
})

describe('a table for other programs', () => {
  it('has a line for each device', () => {
    const lines = csvOf(all, (id) => (id === 'a' ? 'The NAS' : '')).split('\r\n')
    expect(lines).toHaveLength(6)
    expect(lines[4]).toBe('"nas","The NAS","You","100.64.0.2","Direct, same network","2.0","","online","linux"')
  })

  it('runs nothing in a spreadsheet and breaks out of no field, whatever a device is called', () => {
    const hostile = fc.oneof(fc.constantFrom('=cmd|" /C calc"!A0', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', ' =1', '"', '",="', '＝1'), fc.string({ unit: fc.constantFrom('=', '"', ',', '\n', '\r', 'a', '-', ' ') }))
    fc.assert(fc.property(hostile, hostile, (name, owner) => {
      const [device] = devicesOf(status({ Self: peer({ ID: 'x', DNSName: '', HostName: name, OS: owner }) }), undefined, true)
      const line = csvOf([device!], () => owner).split('\r\n')[1]!
      expect(line).not.toMatch(/[\r\n]/)
      const fields = [...line.matchAll(/"((?:[^"]|"")*)"(?:,|$)/g)].map((match) => match[1]!)
      expect(fields).toHaveLength(9)
      expect(fields.every((field) => !/^\s*[=+\-@＝]/.test(field))).toBe(true)
    }))
  })

  it('runs nothing where semicolons part the fields either', () => {
    const devices = devicesOf(status({ Self: peer({ ID: 'x', DNSName: '', HostName: 'nas', OS: 'a;b;=1+1;"@SUM(A1)' }) }), undefined, true)
    expect(csvOf(devices, () => ';\t-1').split('\r\n')[1]).toMatch(/^"nas",";' -1",.*,"a;b;'=1\+1;'""@SUM\(A1\)"$/)
  })
})

describe('the foot', () => {
  it('counts whom we talk to', () => {
    expect(talkSummary(all)).toBe('4 devices. Talking to 1: 1 direct')
    expect(talkSummary([])).toBe('0 devices. Talking to none.')
    const through = all.map((device) => (device.isSelf ? device : { ...device, path: { kind: 'peer-relay' as const, words: '', latencyMs: 1, via: 'nas-oslo' } }))
    expect(talkSummary(through)).toBe('4 devices. Talking to 3: 3 through nas-oslo')
    expect(talkSummary(through.map((device, i) => (i === 1 ? { ...device, path: { kind: 'relay' as const, words: '', latencyMs: 1 } } : device)))).toBe('4 devices. Talking to 3: 2 through nas-oslo, 1 relayed')
  })

  it('counts what was blocked since midnight', () => {
    const now = new Date(2026, 10, 23, 12, 0).getTime()
    const at = (hoursAgo: number, PeerKey: string): BlockedRow => ({ Direction: 'in', Proto: 'tcp', Peer: 'x', PeerKey, From: '', To: '', Reason: 'acl', Why: '', Count: 3, First: '', Last: new Date(now - hoursAgo * 3_600_000).toISOString() })
    expect(blockedToday({ Since: '', Rows: [at(1, 'a'), at(11, 'b'), at(13, 'c')], Dropped: {} }, now)).toEqual({ count: 2, peers: new Set(['a', 'b']) })
    expect(NO_MARKS.blocked.size).toBe(0)
  })
})
