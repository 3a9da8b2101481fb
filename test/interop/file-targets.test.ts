/**
 * Whom files can be sent to, beside a real tailscaled in the same place: file-targets and the numbers of status are the same for
 * every device, and what an administrator would add is what Headscale makes of it.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { TransferTargetsPage } from '../../main/localapi/transfers.ts'
import { run } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

let ours: LabNode
let real: LabNode
let friend: LabNode
let tagged: LabNode
let away: LabNode

interface Listed {
  readonly Node: { readonly StableID: string; readonly Name: string; readonly [field: string]: unknown }
  readonly PeerAPIURL: string
}

async function fileTargets(node: LabNode): Promise<Listed[]> {
  const { status, text } = await node.api.call('GET', 'file-targets')
  expect(status, text).toBe(200)
  return JSON.parse(text) as Listed[]
}

/** Without what changes by itself from one moment to the next, and what the server tells by the version that a device claims. */
function steady({ Node, PeerAPIURL }: Listed): string {
  return JSON.stringify({ Node, PeerAPIURL }, (key, value: unknown) => (['LastSeen', 'Online', 'Endpoints', 'HomeDERP', 'Hostinfo', 'Cap'].includes(key) ? undefined : value))
}

/** Number and reason of each device, by name. */
async function numbers(node: LabNode, names: readonly string[]): Promise<unknown> {
  const { Peer } = JSON.parse((await node.api.call('GET', 'status')).text) as { Peer: Record<string, { DNSName: string; TaildropTarget: number; NoFileSharingReason: string }> }
  return names.map((name) => {
    const peer = Object.values(Peer).find(({ DNSName }) => DNSName.startsWith(`${name}.`))
    return [name, peer?.TaildropTarget, peer?.NoFileSharingReason]
  })
}

describe('targets for files', () => {
  labSuite(
    'targets',
    { relays: 'derper', policy: { acls: [{ action: 'accept', src: ['*'], dst: ['*:*'] }], tagOwners: { 'tag:nas': ['alice@'] } } },
    async (lab) => {
      await lab.headscale.cli('users', 'create', 'bob')
      const bobs = async (): Promise<string> => (JSON.parse(await lab.headscale.cli('-o', 'json', 'preauthkeys', 'create', '--user', '2')) as { key: string }).key
      ;[ours, real, away, friend, tagged] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real'), lab.join('tailscaled', 'away'), lab.add('tailscaled', 'friend'), lab.add('tailscaled', 'tagged')])
      await Promise.all([friend.up(await bobs()), tagged.up(await lab.headscale.authKey({ tags: 'tag:nas' }))])
      await away.stop()
      for (const node of [ours, real]) await waitFor(`${node.name} to see all`, async () => JSON.stringify(await numbers(node, ['away', 'friend', 'tagged'])).includes('[["away",5,""],["friend",9,""],["tagged",9,""]]'), { withinMs: 40_000 })
    },
    (lab) => {
      test('are the same in shape and order, offline ones among them, others\' and tagged ones not', async () => {
        const [mine, theirs] = await Promise.all([fileTargets(ours), fileTargets(real)])
        expect(mine.map(({ Node }) => Node.Name)).toEqual(['away.lab.internal.', 'real.lab.internal.'])
        expect(theirs.map(({ Node }) => Node.Name)).toEqual(['away.lab.internal.', 'ours.lab.internal.'])
        expect(steady(mine[0]!)).toBe(steady(theirs[0]!))
        expect(Object.keys(mine[1]!)).toEqual(['Node', 'PeerAPIURL'])
      })

      test('have the same number in status', async () => {
        const names = ['away', 'friend', 'tagged']
        expect(await numbers(ours, names)).toEqual(await numbers(real, names))
        expect(await numbers(ours, ['real'])).toEqual([['real', 1, '']])
        expect(await numbers(real, ['ours'])).toEqual([['ours', 1, '']])
      })

      test('are told with the reason, and the official command lists and refuses as with a daemon of its own', async () => {
        const { Targets } = JSON.parse((await ours.api.call('GET', 'bowline/transfer-targets')).text) as TransferTargetsPage
        expect(Targets.map(({ Name, Usable, Online, Own, Why }) => [Name, Usable, Online, Own, Why?.Code])).toEqual([
          ['away', true, false, true, undefined], ['real', true, true, true, undefined], ['friend', false, true, false, 'other-owner'], ['tagged', false, true, false, 'tagged'],
        ])
        expect((await ours.tailscale('file', 'cp', '--targets')).stdout).toMatch(/^100\.64\.\d+\.\d+\taway\toffline.*\n100\.64\.\d+\.\d+\treal\n$/)
        const file = join(lab().folder, 'x.txt')
        writeFileSync(file, 'x')
        for (const name of ['friend', 'tagged']) {
          const [mine, theirs] = await Promise.all([ours.tailscale('file', 'cp', file, `${name}:`), real.tailscale('file', 'cp', file, `${name}:`)])
          expect([mine.code, mine.stderr.replace(/^Warning: client version.*\n/, '')]).toEqual([theirs.code, theirs.stderr])
          expect(mine.stderr).toContain('peer is owned by a different user')
        }
        expect(await ours.bowline('file', 'cp', file, 'friend:')).toMatchObject({ code: 1, stderr: expect.stringContaining('it belongs to somebody else') })
      })

      test('Headscale refuses the grant, as the text says before it', async () => {
        const text = (await ours.bowline('file', 'targets', 'friend')).stdout
        expect(text).toContain('Headscale up to 0.29 refuses a policy that holds them, all of it.')
        const path = join(lab().folder, 'pasted.json')
        writeFileSync(path, text.slice(text.indexOf('//')))
        const checked = await run(lab().peers.headscale, ['-c', join(lab().folder, 'hs', 'config.yaml'), 'policy', 'check', '-f', path])
        expect(checked.code).not.toBe(0)
        expect(checked.stdout + checked.stderr).toContain('capability name')
      })

      test('with tags of our own nobody can be sent to, whom a stock daemon would still count', async () => {
        for (const name of ['ours', 'real']) await lab().headscale.cli('nodes', 'tag', '-i', String((await lab().headscale.node(name)).id), '-t', 'tag:nas')
        for (const node of [ours, real]) await waitFor(`${node.name} to have tags`, async () => (await node.api.status()).Self.Tags?.includes('tag:nas') === true, { withinMs: 40_000 })
        await waitFor('the same numbers', async () => JSON.stringify(await numbers(ours, ['tagged', 'friend', 'away'])) === JSON.stringify(await numbers(real, ['tagged', 'friend', 'away'])), { withinMs: 40_000 })
        expect(await numbers(ours, ['tagged'])).toEqual([['tagged', 1, '']])
        const { Targets } = JSON.parse((await ours.api.call('GET', 'bowline/transfer-targets')).text) as TransferTargetsPage
        expect(Targets.map(({ Usable, Why }) => [Usable, Why?.Code])).toEqual(Targets.map(() => [false, 'self-tagged']))
      })

      test('while disconnected there are none, in the words of a stock daemon', async () => {
        await Promise.all([ours, real].map((node) => node.tailscale('down')))
        const [mine, theirs] = await Promise.all([ours, real].map((node) => node.api.call('GET', 'file-targets')))
        expect([mine!.status, mine!.text]).toEqual([theirs!.status, theirs!.text])
        expect(await numbers(ours, ['friend'])).toEqual(await numbers(real, ['friend']))
        expect(JSON.parse((await ours.api.call('GET', 'bowline/transfer-targets')).text)).toMatchObject({ Targets: [], Why: { Code: 'not-connected' } })
      })
    },
  )
})
