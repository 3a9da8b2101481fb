/**
 * The tray's glyph, tooltip and menu for each state, against the design; and with names that mean harm.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recentExitPatch } from '../../../main/app/tray/recent.ts'
import { trayModel, type Glyph, type TrayFacts } from '../../../main/app/tray/model.ts'
import type { PolicyItem } from '../../../main/localapi/policy.ts'
import { NO_TRANSFERS } from '../../../main/localapi/transfers.ts'
import { ask, clickable, drawn, exits, facts, NOW_MS, peer, profile, status, transfer, warning, withView } from './tray-facts.ts'

const engine = (life: TrayFacts['app']['engine']): TrayFacts['app'] => ({ ...facts().app, engine: life })
const lines = (more: Partial<TrayFacts> = {}): readonly string[] => drawn(trayModel(facts(more)).menu)

describe('the menu', () => {
  it('is on Linux that of the design, with the way to the window first and the account in the menu itself', () => {
    expect(lines({ app: withView({ pinned: ['n1'] }), warnings: warning('key-expires-soon', { expiry: '2026-11-25T13:00:00Z' }) })).toEqual([
      'Open Bowline',
      'Connected. Fjord Labs',
      'Disconnect',
      'Renew sign-in (2 days left)',
      '---',
      'Exit node: none >',
      '  [x] None',
      '  [ ] Suggested: exit-ams',
      '  [ ] exit-nyc',
      '  ---',
      '  [ ] Reach the local network',
      '  More…',
      'Devices >',
      '  This device, 100.64.0.7',
      '  nas-oslo, idle',
      '  ---',
      '  More…',
      '---',
      'Send files…',
      'Transfers…',
      '---',
      '[x] anna@fjord.example, fjord.example',
      'Add account…',
      '---',
      'Small window',
      'Settings…',
      'Quit',
    ])
  })

  it('counts what is on its way, or waits for somebody, in both directions', () => {
    const rows = [
      transfer('a', 'sending'), transfer('b', 'queued'), transfer('c', 'delivered', { Batch: 'b2' }), transfer('d', 'stopped', { Batch: 'b3' }), transfer('e', 'receiving', { Direction: 'in', Batch: 'b4' }),
      transfer('f', 'waiting-answer', { Direction: 'in', Batch: 'x' }),
    ]
    expect(lines({ transfers: { ...NO_TRANSFERS, Rows: rows, Asks: [ask('x')] } })).toContain('Transfers (3)…')
    expect(lines({ status: status('Stopped') }).filter((line) => /files|Transfers/.test(line))).toEqual([])
  })

  it('ends elsewhere with the way to the window, and has the accounts below one entry', () => {
    const menu = lines({ platform: 'win32' })
    expect(menu[0]).toBe('Connected. Fjord Labs')
    expect(menu).toContain('anna@fjord.example, fjord.example >')
    expect(menu.slice(-3)).toEqual(['Open Bowline', 'Settings…', 'Quit'])
  })

  it('puts more than three accounts below one entry on Linux too', () => {
    expect(lines({ profiles: ['p1', 'p2', 'p3', 'p4'].map((id) => profile(id, id)) })).toContain('p1, fjord.example >')
  })

  it('offers the one thing that fits the state of the connection', () => {
    const offered = (more: Partial<TrayFacts>): readonly (string | undefined)[] => lines(more).slice(1, 3)
    expect(offered({ status: status('Stopped') })).toEqual(['Disconnected. Fjord Labs', 'Connect'])
    expect(offered({ status: status('Starting') })).toEqual(['Connecting: reaching the server. Fjord Labs', 'Cancel'])
    expect(offered({ status: status('NeedsLogin') })).toEqual(['Signed out. Fjord Labs', 'Sign in…'])
    expect(offered({ status: status('NeedsLogin', { Self: peer('self', 'me', { Expired: true }) }) })).toEqual(['Sign-in has ended. Fjord Labs', 'Renew sign-in'])
    expect(offered({ app: engine('stopped') })).toEqual(['Engine stopped. Fjord Labs', 'Start the engine'])
    expect(lines({ app: engine('stopped'), ownEngine: false })).toEqual(['Open Bowline', 'Engine stopped. Fjord Labs', '---', 'Small window', 'Settings…', 'Quit'])
  })

  it('names the exit node with what becomes of traffic, marks the chosen one, and says why one cannot be chosen', () => {
    const chosen = { Chosen: { Kind: 'node', ID: 'x3', Name: 'exit-old' } as const, AllowLAN: true }
    const menu = lines({ exit: exits({ ...chosen, Egress: { Kind: 'blocked', ID: 'x3', Name: 'exit-old.fjord.example', Why: 'offline' } }) })
    expect(menu).toContain('Exit node: exit-old, blocked >')
    expect(menu).toContain('  [x] (exit-old: Offline, says the server)')
    expect(menu).toContain('  [x] Reach the local network')
    expect(menu).toContain('  [ ] None')
    expect(lines({ exit: exits({ ...chosen, Egress: { Kind: 'paused', ID: 'x3', Name: 'exit-old', Why: '' } }) })).toContain('Exit node: exit-old, paused >')
    expect(lines({ exit: exits({ Chosen: { Kind: 'auto', ID: 'x1', Name: 'exit-ams' } }) })).toContain('Exit node: exit-ams, not in use >')
    expect(lines({ exit: exits({ Nodes: [] }) }).some((line) => line.startsWith('Exit node'))).toBe(false)
  })

  it('offers nothing that the device policy holds, and says whose rule it is', () => {
    const by = (rule: string): string => `Set by Fjord Labs · device policy, ${rule}`
    const policyOf = (Settings: Record<string, PolicyItem>): TrayFacts['policy'] => ({ Summary: { Scope: 'Device' }, Settings: { ManagedByOrganizationName: { Value: 'Fjord Labs' }, ...Settings } })
    const policy = policyOf({ ExitNodeID: { Value: 'x1' }, ExitNodeAllowLANAccess: { Value: 'never' }, 'AlwaysOn.Enabled': { Value: true } })
    const menu = lines({ policy, exit: exits({ Chosen: { Kind: 'node', ID: 'x1', Name: 'exit-ams' }, Egress: { Kind: 'exit', ID: 'x1', Name: 'exit-ams.fjord.example', Why: '' } }) })
    const at = menu.indexOf('Exit node: exit-ams >')
    expect(menu.slice(at, at + 5)).toEqual(['Exit node: exit-ams >', `  (${by('ExitNodeID')})`, '  ---', '  [ ] (Reach the local network)', '  More…'])
    expect(menu).toContain(`(${by('AlwaysOn.Enabled')})`)
    expect(menu).not.toContain('Disconnect')
    expect(lines({ policy: policyOf({ ExitNodesPicker: { Value: 'hide' } }) }).some((line) => line.startsWith('Exit node'))).toBe(false)
    expect(lines({ policy: policyOf({ ExitNodeID: { Error: 'no line' }, ExitNodesPicker: { Value: 'show' } }) })).toContain('  [x] None')
  })

  it('lists up to five exit nodes, those used last first, and up to ten devices, the pinned ones first', () => {
    const Nodes = Array.from({ length: 9 }, (_, i) => ({ ID: `x${i}`, Name: `exit-${i}.net`, IP: '100.64.0.1', Owner: '', Online: true, Suggested: false }))
    const Peer = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, peer(`n${i}`, `device-${i}`)]))
    const menu = lines({ app: withView({ recentExits: ['x8', 'gone', 'x7'], pinned: ['n9'], recent: ['n1', 'n9', 'n2', ...Array.from({ length: 20 }, (_, i) => `n${i + 10}`)], hidden: ['n2'], nicknames: { n1: 'Build box' } }), exit: exits({ Nodes }), status: status('Running', { Peer }) })
    expect(menu.filter((line) => /^ {2}\[ \] exit-/.test(line))).toEqual(['  [ ] exit-8', '  [ ] exit-7', '  [ ] exit-0', '  [ ] exit-1', '  [ ] exit-2'])
    const devices = menu.filter((line) => line.endsWith(', idle'))
    expect(devices).toHaveLength(10)
    expect(devices.slice(0, 3)).toEqual(['  device-9, idle', '  Build box, idle', '  device-10, idle'])
  })

  it('says of each device how packets go there', () => {
    const paths = { paths: [{ peer: 'nodekey:n1', kind: 'direct', active: true } as never, { peer: 'nodekey:n22', kind: 'relay', active: true } as never] }
    const menu = lines({ paths, status: status('Running', { Peer: { a: peer('n1', 'nas-oslo'), b: peer('n22', 'build-07'), c: peer('n333', 'old', { Active: true, Online: false }) } }) })
    expect(menu).toEqual(expect.arrayContaining(['  nas-oslo, direct', '  build-07, relayed', '  old, offline, says server']))
  })
})

describe('a change on trial in the menu', () => {
  const trial = { Trial: { ID: 't1', Until: '', LeftMs: 9_000, Change: {}, Back: {}, Losses: [] } }

  it('is kept or undone there, and no other exit node is chosen meanwhile', () => {
    const { menu } = trayModel(facts({ trial }))
    expect(drawn(menu).filter((line) => /trial|Keep|Undo/.test(line))).toEqual(['A change is on trial', 'Keep it', 'Undo now', '  (A change is on trial)'])
    expect(clickable(menu).filter(({ action }) => action?.kind === 'exit' || action?.kind === 'allow-lan')).toEqual([])
  })

  it('has the mode beside it where the engine has told it', () => {
    const machine = { Mode: 'whole', State: 'holding' } as unknown as NonNullable<ReturnType<typeof facts>['machine']>
    expect(drawn(trayModel(facts({ machine })).menu)).toContain('Mode: Whole computer')
    expect(trayModel(facts({ machine })).tooltip).toBe('Internet blocked')
  })
})

describe('the glyph', () => {
  const blocked = exits({ Chosen: { Kind: 'node', ID: 'x1', Name: 'exit-ams' }, Egress: { Kind: 'blocked', ID: 'x1', Name: 'exit-ams', Why: '' } })
  const through = exits({ Chosen: { Kind: 'node', ID: 'x1', Name: 'exit-ams' }, Egress: { Kind: 'exit', ID: 'x1', Name: 'exit-ams', Why: '' } })
  const cases: readonly (readonly [string, Partial<TrayFacts>, Glyph, string])[] = [
    ['connected', {}, 'connected', 'Connected'],
    ['through an exit node', { exit: through }, 'exit-node', 'Connected'],
    ['an exit node down and traffic blocked', { exit: blocked }, 'attention', 'Internet blocked'],
    ['off', { status: status('Stopped') }, 'disconnected', 'Disconnected'],
    ['signed out and nothing asked', { status: status('NeedsLogin') }, 'disconnected', 'Signed out'],
    ['waiting for the browser', { status: status('NeedsLogin', { AuthURL: 'https://hs.example/a' }) }, 'attention', 'Waiting for your browser'],
    ['waiting for approval', { status: status('NeedsMachineAuth') }, 'attention', 'Waiting for approval'],
    ['a sign-in that has ended', { status: status('NeedsLogin', { Self: peer('self', 'me', { Expired: true }) }) }, 'attention', 'Sign-in has ended'],
    ['a sign-in that ends soon', { warnings: warning('key-expires-soon', { expiry: new Date(NOW_MS + 3600_000).toISOString() }) }, 'attention', 'Connected'],
    ['a sign-in page of the Wi-Fi', { warnings: warning('captive-portal-detected') }, 'attention', 'Connected'],
    ['a file that waits for an answer', { transfers: { ...NO_TRANSFERS, Asks: [ask('b1')] } }, 'attention', 'Connected'],
    ['connecting', { status: status('Starting') }, 'connecting', 'Connecting: reaching the server'],
    ['starting', { app: engine('starting'), status: undefined }, 'connecting', 'Starting the engine'],
    ['an engine that stopped', { app: engine('stopped') }, 'error', 'Engine stopped'],
    ['an engine that keeps stopping', { app: engine('keeps-stopping') }, 'error', 'Engine keeps stopping'],
    ['an engine of somebody else', { status: status('InUseOtherUser') }, 'error', 'Engine in use by another user'],
  ]
  it.each(cases)('for %s', (_what, more, glyph, tooltip) => {
    const model = trayModel(facts(more))
    expect([model.glyph, model.tooltip]).toEqual([glyph, tooltip])
  })
})

describe('names that mean harm', () => {
  const hostile = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.constantFrom('a&b', '&&&', '<b>x</b>', '\u202Egnp.exe', 'line\nbreak\t', '-', '', ' ', '...', 'a.'.repeat(200)))

  it('make neither a shortcut nor a second line nor a turned one, nor a label without end', () => {
    fc.assert(fc.property(hostile, hostile, hostile, (name, account, why) => {
      const found = trayModel(facts({
        app: withView({ nicknames: { n1: name }, recent: ['n1', 'n22'] }),
        status: status('Running', { Peer: { a: peer('n1', 'x'), b: peer('n22', name, { DNSName: name, HostName: name }) }, CurrentTailnet: { Name: name, MagicDNSSuffix: '', MagicDNSEnabled: true } }),
        exit: exits({ Nodes: [{ ID: 'x1', Name: name, IP: '', Owner: name, Online: true, Suggested: true }, { ID: 'x2', Name: account, IP: '', Owner: '', Online: true, Suggested: false, Unavailable: why }], Chosen: { Kind: 'node', ID: 'x2', Name: account } }),
        profiles: [profile('p1', account)],
      }))
      const labels = found.menu.flatMap((one) => (one.kind === 'line' ? [] : [one.label])).concat(clickable(found.menu).map((one) => one.label))
      for (const label of labels) {
        expect(label).not.toBe('')
        expect(label.replaceAll('&&', '')).not.toContain('&')
        // oxlint-disable-next-line no-control-regex
        expect(label).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/)
        expect(label.length).toBeLessThanOrEqual(240)
      }
    }))
  })

  it('never change what a click does', () => {
    fc.assert(fc.property(hostile, (name) => {
      const kinds = (more: string): readonly unknown[] => clickable(trayModel(facts({ status: status('Running', { Peer: { a: peer('n1', more) } }) })).menu).map((one) => one.action)
      expect(kinds(name)).toEqual(kinds('plain'))
    }))
  })
})

describe('exit nodes used last', () => {
  const chosen = (ID: string): Partial<TrayFacts> => ({ exit: exits({ Chosen: { Kind: 'node', ID, Name: ID } }) })

  it('are remembered for the account, the last one first, each once and not without end', () => {
    let { settings } = facts().app
    for (let i = 0; i < 100; i++) {
      const patch = recentExitPatch(settings, facts(chosen(`x${i % 30}`)))
      settings = { ...settings, accounts: { ...settings.accounts, ...(patch!.accounts as typeof settings.accounts) } }
    }
    const { recentExits } = settings.accounts['p1']!
    expect(recentExits.slice(0, 3)).toEqual(['x9', 'x8', 'x7'])
    expect(recentExits).toHaveLength(20)
    expect(recentExitPatch(settings, facts(chosen('x9')))).toBeUndefined()
  })

  it('are only those that a person chose, while somebody is signed in', () => {
    const { settings } = facts().app
    expect(recentExitPatch(settings, facts())).toBeUndefined()
    expect(recentExitPatch(settings, facts({ exit: exits({ Chosen: { Kind: 'auto', ID: 'x1', Name: 'x1' } }) }))).toBeUndefined()
    expect(recentExitPatch(settings, facts({ ...chosen('x1'), profile: '' }))).toBeUndefined()
  })
})
