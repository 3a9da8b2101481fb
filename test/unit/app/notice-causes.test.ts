/**
 * What a person is told of, from the facts, as time goes on.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BlockedRow } from '../../../main/localapi/blocked.ts'
import { causesOf, LOST_MS, nextLookMs, NOTHING, remember, type Memory } from '../../../main/app/notices/causes.ts'
import type { Cause } from '../../../main/app/notices/machine.ts'
import { exits, facts, NOW_MS, peer, status, warning } from './tray-facts.ts'

type More = Parameters<typeof facts>[0]

/** Looks at facts one after the other; answers the causes after the last. */
function after(...looks: readonly (readonly [ms: number, more: More])[]): readonly Cause[] {
  let memory: Memory = NOTHING
  let causes: readonly Cause[] = []
  for (const [ms, more] of looks) {
    memory = remember(memory, facts(more), NOW_MS + ms)
    causes = causesOf(memory, facts(more), NOW_MS + ms)
  }
  return causes
}
const titles = (causes: readonly Cause[]): readonly string[] => causes.map(({ title }) => title)
const stopped = { app: { ...facts().app, engine: 'stopped' } } as const

describe('the connection', () => {
  it('is lost when it does not come back in ten seconds, whatever took it away', () => {
    for (const more of [stopped, { status: status('Starting') }, { warnings: warning('network-status') }]) {
      expect(after([0, {}], [1000, more], [1000 + LOST_MS - 1, more])).toEqual([])
      expect(titles(after([0, {}], [1000, more], [1000 + LOST_MS, more]))).toEqual(['Connection lost'])
      expect(after([0, {}], [1000, more], [20_000, more], [21_000, {}])).toEqual([])
    }
  })

  it('is not lost when a person ended it, or when there was none', () => {
    expect(after([0, {}], [1000, { status: status('Stopped') }], [60_000, { status: status('Stopped') }])).toEqual([])
    expect(after([0, { status: status('Starting') }], [60_000, { status: status('Starting') }])).toEqual([])
    expect(after([0, { status: status('NeedsLogin') }], [60_000, stopped])).toEqual([])
  })

  it('is looked at again by the clock', () => {
    const memory = remember(remember(NOTHING, facts(), NOW_MS), facts(stopped), NOW_MS + 500)
    expect(nextLookMs(memory, facts(stopped), NOW_MS + 500)).toBe(NOW_MS + 500 + LOST_MS)
  })
})

describe('the sign-in', () => {
  const HOUR = 3600_000
  const ends = { warnings: warning('key-expires-soon', { expiry: new Date(NOW_MS + 72 * HOUR).toISOString() }) }

  it('that ends soon is told when that is known, and a day, an hour and ten minutes before; not in between', () => {
    const told = new Set<string>()
    let memory: Memory = NOTHING
    let nowMs = NOW_MS
    for (let looks = 0; looks < 20 && nowMs < NOW_MS + 72 * HOUR; looks++) {
      memory = remember(memory, facts(ends), nowMs)
      for (const cause of causesOf(memory, facts(ends), nowMs)) told.add(cause.title)
      nowMs = (nextLookMs(memory, facts(ends), nowMs) ?? NOW_MS + 72 * HOUR) + 1
    }
    expect(told.size).toBe(4)
    expect(after([0, ends])[0]!.actions.map(({ label, action }) => [label, action.kind])).toEqual([['Renew', 'renew']])
  })

  it('that has ended is told until somebody signs in', () => {
    const ended = { status: status('NeedsLogin', { Self: peer('self', 'me', { Expired: true }) }) }
    expect(titles(after([0, {}], [1000, ended]))).toEqual(['Your sign-in has ended'])
    expect(after([0, {}], [1000, ended], [2000, { status: status('NeedsLogin', { AuthURL: 'https://hs.example', Self: peer('self', 'me', { Expired: true }) }) }])).toEqual([])
  })

  it('that was waited for is told', () => {
    const causes = after([0, { status: status('NeedsMachineAuth') }], [1000, {}])
    expect(causes.map(({ title, body }) => [title, body])).toEqual([['This computer was approved', 'It is on Fjord Labs now.']])
    expect(after([0, { status: status('NeedsMachineAuth') }], [1000, {}], [3_700_000, {}])).toEqual([])
    expect(after([0, { status: status('Starting') }], [1000, {}])).toEqual([])
  })
})

describe('the exit node', () => {
  const blocked = exits({ Chosen: { Kind: 'node', ID: 'x1', Name: 'exit-ams' }, Egress: { Kind: 'blocked', ID: 'x1', Name: 'exit-ams.fjord.example', Why: 'it does not answer' } })

  it('that blocks traffic comes with another one and with the way to go without', () => {
    const [cause] = after([0, { exit: blocked }])
    expect(cause!.title).toBe('exit-ams cannot be used, so your internet is blocked')
    expect(cause!.actions).toEqual([
      { label: 'Use exit-nyc', action: { kind: 'exit', do: { Do: 'use', Node: 'x2' } } },
      { label: 'Turn off', action: { kind: 'exit', do: { Do: 'clear' } } },
    ])
    expect(after([0, { exit: { ...blocked, Nodes: [] } }])[0]!.actions.map(({ label }) => label)).toEqual(['Turn off'])
    expect(after([0, { exit: blocked, status: status('Stopped') }])).toEqual([])
    const policy = { Summary: { Scope: 'Device' }, Settings: { ExitNodeID: { Value: 'x1' } } }
    expect(after([0, { exit: blocked, policy }])[0]!.actions).toEqual([{ label: 'Show', action: { kind: 'go', hash: '#/exit-nodes' } }])
  })

  it('that another one has replaced is told', () => {
    const exit = exits({ Chosen: { Kind: 'node', ID: 'x1', Name: 'exit-ams' }, Egress: { Kind: 'exit', ID: 'x2', Name: 'exit-nyc', Why: '' } })
    expect(titles(after([0, { exit, warnings: warning('exit-node-replaced') }]))).toEqual(['Internet traffic goes through exit-nyc now'])
    expect(after([0, { exit }])).toEqual([])
  })
})

describe('what was not let through', () => {
  const row = (key: string, more: Partial<BlockedRow> = {}): BlockedRow =>
    ({ Direction: 'out', Proto: 'tcp', Peer: `peer-${key}`, PeerKey: key, From: '', To: '100.64.0.9:445', Reason: 'acl', Why: 'your network\'s rules do not allow it', Count: 1, First: '', Last: new Date(NOW_MS).toISOString(), ...more }) as BlockedRow
  const page = (rows: readonly BlockedRow[]): More => ({ blocked: { Since: '', Rows: rows, Dropped: {} }, status: status('Running', { Peer: { k1: peer('n1', 'files') } }) })

  it('is one cause for each of three devices, with the page that explains it', () => {
    const causes = after([0, page(['k1', 'k1', 'k2', 'k3', 'k4'].map((key) => row(key)))])
    expect(titles(causes)).toEqual(['peer-k1 was not reached', 'peer-k2 was not reached', 'peer-k3 was not reached'])
    expect(causes[0]!.actions).toEqual([{ label: 'Explain', action: { kind: 'go', hash: '#/devices/n1/access' } }])
  })

  it('is only what this computer tried, and only lately', () => {
    expect(after([0, page([row('k1', { Direction: 'in' }), row('k2', { Last: new Date(NOW_MS - 600_000).toISOString() })])])).toEqual([])
  })
})

describe('words of others', () => {
  it('keep no control characters and no turned text, whatever their names are', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
      const causes = after(
        [0, { status: status('NeedsMachineAuth') }],
        [1, {
          status: status('Running', { CurrentTailnet: { Name: name, MagicDNSSuffix: name, MagicDNSEnabled: true } }),
          exit: exits({ Chosen: { Kind: 'node', ID: 'x1', Name: name }, Egress: { Kind: 'blocked', ID: 'x1', Name: name, Why: name }, Nodes: [{ ID: 'x2', Name: name, IP: '', Owner: '', Online: true, Suggested: true }] }),
          blocked: { Since: '', Dropped: {}, Rows: [{ Direction: 'out', Proto: 'tcp', Peer: name, PeerKey: 'k', From: '', To: name, Reason: 'acl', Why: name, Count: 1, First: '', Last: new Date(NOW_MS).toISOString() } as BlockedRow] },
          app: { ...facts().app, updates: { newer: { version: name, page: '' } } },
        }],
      )
      expect(causes.length).toBeGreaterThan(1)
      for (const text of causes.flatMap(({ title, body, actions }) => [title, body, ...actions.map(({ label }) => label)])) {
        // oxlint-disable-next-line no-control-regex
        expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/)
        expect(text.length).toBeLessThan(400)
      }
    }))
  })
})

describe('a change on trial', () => {
  const open = { Trial: { ID: 't1', Until: '', LeftMs: 9_000, Change: {}, Back: {}, Losses: [] } }
  const ended = (End: 'kept' | 'undone' | 'ran-out' | 'restarted'): More => ({ trial: { Last: { ID: 't1', End, At: new Date(NOW_MS).toISOString(), Why: '' } } })

  it('waits to be kept, by one of two buttons', () => {
    const [cause] = after([0, { trial: open }])
    expect([cause!.title, cause!.actions.map(({ label }) => label)]).toEqual(['A change is on trial', ['Keep it', 'Undo now']])
  })

  it('that nobody kept is told with its cause for an hour, one that a person answered is not', () => {
    expect(titles(after([0, ended('ran-out')]))).toEqual(['Undone: nobody kept it in time.'])
    expect(titles(after([0, ended('restarted')]))).toEqual(['Undone: the engine ended before anybody kept it.'])
    expect(after([3_700_000, ended('ran-out')])).toEqual([])
    for (const end of ['kept', 'undone'] as const) expect(after([0, ended(end)])).toEqual([])
  })
})
