import { describe, expect, test } from 'vitest'
import { CliError } from '../../../main/cli/exit.ts'
import { parseFlags } from '../../../main/cli/flags.ts'
import { flagText, PREF_FLAGS, prefFlagSpec, readPrefFlags, unusualFlags } from '../../../main/cli/pref-flags.ts'
import type { Prefs, Status } from '../../../main/localapi/types.ts'
import { defaultPrefs } from '../../../main/engine/backend/prefs.ts'

const fresh = defaultPrefs('linux')
const status = { MagicDNSSuffix: 'lab.internal', Self: { DNSName: 'me.lab.internal.', HostName: 'me' }, Peer: { a: { DNSName: 'gate.lab.internal.', HostName: 'gate', TailscaleIPs: ['100.64.0.9'], ExitNodeOption: true } } } as unknown as Status
const read = (argv: string[], prefs: Prefs = fresh): Partial<Prefs> => readPrefFlags(parseFlags(argv, { ...prefFlagSpec('set'), ...prefFlagSpec('up') }, 'set'), { prefs, status })

/** A value of each setting that is not the fresh one. */
const VALUES: Readonly<Record<string, string>> = {
  hostname: 'desk', 'exit-node': '100.64.0.9', 'advertise-routes': '10.0.0.0/8,fd00::/64', 'advertise-tags': 'tag:a,tag:b', operator: 'anna', nickname: 'my work',
  'netfilter-mode': 'off', 'relay-server-port': '40000', 'relay-server-static-endpoints': '192.0.2.1:40000,[2001:db8::1]:40000',
}

describe('settings as flags', () => {
  test('of fresh prefs none is unusual', () => {
    expect(unusualFlags(fresh)).toEqual([])
  })

  test.each(Object.keys(PREF_FLAGS))('--%s is read, shown as it was given, and back', (name) => {
    const row = PREF_FLAGS[name]!
    const text = VALUES[name] ?? String(row.show(fresh) !== 'true')
    const changed = { ...fresh, ...read([`--${name}=${text}`]) }
    expect(row.show(changed)).toBe(text)
    expect(unusualFlags(changed).map((entry) => entry.name)).toEqual([name])
    expect(row.show({ ...changed, ...read([`--${name}=${row.show(fresh)}`], changed) })).toBe(row.show(fresh))
  })

  test('routes and the offer of the internet do not disturb each other', () => {
    const both = { ...fresh, ...read(['--advertise-exit-node', '--advertise-routes=10.0.0.0/8']) }
    expect(both.AdvertiseRoutes).toEqual(['10.0.0.0/8', '0.0.0.0/0', '::/0'])
    expect(read(['--advertise-exit-node=false'], both)).toEqual({ AdvertiseRoutes: ['10.0.0.0/8'] })
    expect(read(['--advertise-routes='], both)).toEqual({ AdvertiseRoutes: ['0.0.0.0/0', '::/0'] })
  })

  test('an exit node is named by name, address or auto:any', () => {
    expect(read(['--exit-node=gate'])).toMatchObject({ ExitNodeIP: '100.64.0.9', ExitNodeID: '' })
    expect(read(['--exit-node=auto:any'])).toMatchObject({ AutoExitNode: 'any', ExitNodeIP: '' })
    expect(() => read(['--exit-node=me'])).toThrow('These do: gate.')
  })

  test.each(['--hostname=-a', '--hostname=a_b', '--advertise-routes=10.0.0.0', '--advertise-routes=0.0.0.0/0', '--advertise-tags=1', '--relay-server-port=x', '--relay-server-static-endpoints=here:1', '--exit-node=auto:x'])('%s is refused with the flag and the value', (arg) => {
    const [flag, value] = arg.split('=') as [string, string]
    const failure = ((): unknown => {
      try {
        return read([arg])
      } catch (error) {
        return error
      }
    })()
    expect(failure).toBeInstanceOf(CliError)
    expect((failure as CliError).message).toContain(flag)
    expect((failure as CliError).message).toContain(value)
  })

  test('a value is quoted where a shell would break it', () => {
    expect(flagText('nickname', "it's mine")).toBe(`--nickname='it'\\''s mine'`)
    expect(flagText('shields-up', 'false')).toBe('--shields-up=false')
  })
})
