/**
 * A device policy in a backend: held at start, on change and against every edit, and told to those who listen.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { readPolicy, type PolicyReading } from '../../../main/engine/core/policy/read-policy.ts'
import { WATCH } from '../../../main/localapi/watch-mask.ts'
import { makeRig, type Rig } from './rig.ts'

let raw: unknown
let refused: readonly string[]
let rig: Rig
const read = (): PolicyReading => ({ policy: readPolicy(raw), refused, from: ['policy.json'] })

async function open(policy: unknown): Promise<void> {
  raw = policy
  await rig.backend.unlock()
  await rig.backend.open()
}
const change = (policy: unknown): void => {
  raw = policy
  rig.backend.policy.reload('the file changed')
}
const edit = (mask: Record<string, unknown>): unknown => rig.backend.editPrefs(mask)
const codes = (): readonly string[] => Object.keys(rig.health.state().Warnings ?? {})
const why = (kind: string): readonly unknown[] => rig.journal.filter((event) => event.part === 'policy' && event.kind === kind).map((event) => event.why)

beforeEach(() => {
  refused = []
  rig = makeRig({ policy: { read } })
})

describe('a policy', () => {
  it('holds from the start, and says so in the journal', async () => {
    await open({ UseTailscaleSubnets: 'always', LoginURL: 'https://hs.example' })
    expect(rig.backend.views.prefs()).toMatchObject({ RouteAll: true, ControlURL: 'https://hs.example' })
    expect(why('held')).toEqual(['the device policy sets ControlURL, RouteAll'])
  })

  it('refuses an edit with a code, changes nothing then, and lets others through', async () => {
    await open({ UseTailscaleSubnets: 'always' })
    expect(() => edit({ RouteAll: false, RouteAllSet: true, CorpDNS: false, CorpDNSSet: true })).toThrow(expect.objectContaining({ code: 'managed-by-policy' }))
    expect(rig.backend.views.prefs()).toMatchObject({ RouteAll: true, CorpDNS: true })
    edit({ CorpDNS: false, CorpDNSSet: true })
    expect(rig.backend.views.prefs().CorpDNS).toBe(false)
    expect(rig.backend.checkPrefs({ ...rig.backend.views.prefs(), RouteAll: true })).toBeUndefined()
    expect(why('refused')).toHaveLength(1)
  })

  it('that names the exit node lets nothing past it, whatever was chosen for its failure', async () => {
    await open({})
    rig.backend.editExtras({ ExitNodeFailure: 'direct' })
    change({ ExitNodeID: 'n9', ManagedByOrganizationName: 'Fjord Labs' })
    expect((await rig.backend.exitNodes.next(undefined).page).Failure).toBe('block')
    expect(() => rig.backend.editExtras({ ExitNodeFailure: 'next' })).toThrow(expect.objectContaining({ code: 'managed-by-policy', message: expect.stringContaining('set by Fjord Labs (device policy ExitNodeID)') }))
    rig.backend.editExtras({ ExitNodeOrder: ['n1'] })
    change({})
    expect((await rig.backend.exitNodes.next(undefined).page).Failure).toBe('direct')
  })

  it('that changes is held at once and told to those who asked for it alone', async () => {
    await open({})
    const [told, untold] = [rig.watch(WATCH.sysPolicyChanges), rig.watch(WATCH.initialState)]
    expect(told[0]?.Policy).toEqual({ Summary: { Scope: 'Device' } })
    change({ AllowIncomingConnections: 'never' })
    expect(rig.backend.views.prefs().ShieldsUp).toBe(true)
    expect(told.find((notify) => notify.Policy?.Settings)?.Policy?.Settings?.['AllowIncomingConnections']?.Value).toBe('never')
    expect(untold.some((notify) => notify.Policy)).toBe(false)
    change({})
    edit({ ShieldsUp: false, ShieldsUpSet: true })
    expect(rig.backend.views.prefs().ShieldsUp).toBe(false)
  })

  it('that keeps a device connected lets nobody disconnect, sign out or forget it', async () => {
    await open({ 'AlwaysOn.Enabled': true })
    rig.backend.startWith({ UpdatePrefs: { ...rig.backend.views.prefs(), ControlURL: 'https://hs.example', WantRunning: true } })
    rig.signIn()
    expect(rig.backend.views.prefs().WantRunning).toBe(true)
    const managed = expect.objectContaining({ code: 'managed-by-policy' })
    expect(() => edit({ WantRunning: false, WantRunningSet: true })).toThrow(managed)
    await expect(rig.backend.logout()).rejects.toThrow(managed)
    expect(() => rig.backend.resetAuth()).toThrow(managed)
    expect(() => rig.backend.profileSwitch.toNew()).toThrow(managed)
    expect(() => rig.backend.profileSwitch.remove(rig.backend.profiles.current().ID)).toThrow(managed)
    change({})
    edit({ WantRunning: false, WantRunningSet: true })
    rig.control.calls.length = 0
    change({ 'AlwaysOn.Enabled': true })
    expect(rig.backend.views.prefs().WantRunning).toBe(true)
    expect(rig.control.calls).toContain('begin')
  })

  it('holds in a new account too, before anything of it runs', async () => {
    await open({ UseTailscaleDNSSettings: 'never' })
    rig.backend.profileSwitch.toNew()
    expect(rig.backend.views.prefs().CorpDNS).toBe(false)
  })

  it('refuses a start that asks for another server, and takes one that asks for nothing', async () => {
    await open({ LoginURL: 'https://hs.example' })
    const prefs = rig.backend.views.prefs()
    expect(() => rig.backend.startWith({ UpdatePrefs: { ...prefs, ControlURL: 'https://other.example', WantRunning: true } })).toThrow(expect.objectContaining({ code: 'managed-by-policy' }))
    rig.backend.startWith({ UpdatePrefs: { ...prefs, ControlURL: '', WantRunning: true } })
    expect(rig.backend.views.prefs().ControlURL).toBe('https://hs.example')
  })

  it('that is refused or wrong in parts is told as health', async () => {
    refused = ['The device policy /etc/x is not followed: it is not JSON.']
    await open({ nonesuch: 1 })
    expect(codes()).toEqual(expect.arrayContaining(['policy-refused', 'policy-partly']))
    refused = []
    change({})
    expect(codes().filter((code) => code.startsWith('policy-'))).toEqual([])
  })
})
