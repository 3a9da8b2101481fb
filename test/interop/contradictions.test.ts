/**
 * Settings that are impossible or contradict each other, put to a real tailscaled and to our engine alike: what that one
 * refuses this one refuses too, in its words where it has any, and refused means nothing changed.
 */
import { expect, test } from 'vitest'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'

let ours: LabNode
let real: LabNode

interface Refused {
  readonly mask: Readonly<Record<string, unknown>>
  /** Our reason. */
  readonly says: RegExp
  /** The stock daemon refuses it too; `same` in the same words. */
  readonly stock: 'same' | 'too' | 'takes it'
}

const REFUSED: readonly Refused[] = [
  { mask: { ExitNodeIP: '100.64.0.77', ExitNodeIPSet: true, AdvertiseRoutes: ['0.0.0.0/0', '::/0'], AdvertiseRoutesSet: true }, says: /advertise an exit node and use/, stock: 'same' },
  { mask: { AdvertiseRoutes: ['10.0.0.1/24'], AdvertiseRoutesSet: true }, says: /10\.0\.0\.0\/24/, stock: 'same' },
  { mask: { AdvertiseRoutes: ['nonsense'], AdvertiseRoutesSet: true }, says: /"nonsense" is not a prefix/, stock: 'too' },
  { mask: { ExitNodeIP: 'x', ExitNodeIPSet: true }, says: /"x" is not an IP address/, stock: 'too' },
  { mask: { RelayServerPort: 70_000, RelayServerPortSet: true }, says: /0 to 65535/, stock: 'too' },
  { mask: { Hostname: 7, HostnameSet: true }, says: /Hostname has the wrong type/, stock: 'too' },
  { mask: { ExitNodeIP: 'SELF', ExitNodeIPSet: true }, says: /own exit node.*--advertise-exit-node/, stock: 'takes it' },
  { mask: { AdvertiseTags: ['server'], AdvertiseTagsSet: true }, says: /tag:server/, stock: 'takes it' },
  { mask: { Hostname: 'my laptop', HostnameSet: true }, says: /"my laptop"/, stock: 'takes it' },
  { mask: { NetfilterMode: 9, NetfilterModeSet: true }, says: /NetfilterMode 9/, stock: 'takes it' },
  { mask: { OperatorUser: 'nobody-of-that-name', OperatorUserSet: true }, says: /no user "nobody-of-that-name"/, stock: 'takes it' },
  { mask: { ControlURL: 'https://[', ControlURLSet: true }, says: /https:\/\/headscale\.example\.com/, stock: 'takes it' },
]

async function put(node: LabNode, mask: Refused['mask']): Promise<{ status: number; text: string; changed: boolean }> {
  const body = JSON.parse(JSON.stringify(mask).replace('SELF', (await node.ips()).v4)) as object
  const before = await node.api.prefs()
  const answer = await node.api.call('PATCH', 'prefs', body)
  return { status: answer.status, text: answer.text.trim(), changed: JSON.stringify(await node.api.prefs()) !== JSON.stringify(before) }
}

labSuite(
  'settings that cannot be',
  {},
  async (started) => {
    ;[ours, real] = await Promise.all([started.join('bowline', 'ours'), started.join('tailscaled', 'real')])
  },
  () => {
    for (const { mask, says, stock } of REFUSED) {
      const what = Object.entries(mask).find(([name]) => name.endsWith('Set'))![0].slice(0, -3)
      test(`${what} ${JSON.stringify(mask[what])} is refused with a reason, and nothing changed`, async () => {
        const refused = await put(ours, mask)
        expect(refused).toMatchObject({ status: 400, changed: false })
        expect((JSON.parse(refused.text) as { Error: string }).Error).toMatch(says)
        if (stock === 'takes it') return
        const there = await put(real, mask)
        expect(there).toMatchObject({ status: 400, changed: false })
        if (stock === 'same') expect(there.text).toBe(refused.text)
      })
    }

    test('the official command shows the reason and fails', async () => {
      for (const [flag, says] of [['--operator=nobody-of-that-name', /no user/], ['--hostname=my laptop', /my laptop/], ['--advertise-routes=10.0.0.1/24', /10\.0\.0\.0\/24/]] as const) {
        const { code, stdout, stderr } = await ours.tailscale('set', flag)
        expect(code).toBe(1)
        expect(stdout + stderr).toMatch(says)
      }
      expect((await ours.api.status()).BackendState).toBe('Running')
    })
  },
)
