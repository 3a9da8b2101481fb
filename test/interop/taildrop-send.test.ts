/**
 * Sending to a real tailscaled: what arrives, what goes on after a pause, folders, many files, and other programs that send
 * through our socket.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { TransferAction, TransferResult, TransferRow, TransfersPage } from '../../main/localapi/transfers.ts'
import { waitFor } from '../support/wait.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'
import { waitTarget } from './lab/taildrop.ts'

let ours: LabNode
let real: LabNode
let peer = ''
const folder = mkdtempSync(join(tmpdir(), 'bwl-send-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PATIENCE = { withinMs: 60_000, everyMs: 20 }
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function act(action: TransferAction): Promise<TransferResult> {
  const { status, text } = await ours.api.call('POST', 'bowline/transfers', action)
  expect(status, text).toBe(200)
  return JSON.parse(text) as TransferResult
}

async function rowsOf(batch: string): Promise<readonly TransferRow[]> {
  const { Rows } = JSON.parse((await ours.api.call('GET', 'bowline/transfers')).text) as TransfersPage
  return Rows.filter((row) => row.Batch === batch)
}

async function delivered(batch: string, count: number): Promise<readonly TransferRow[]> {
  return waitFor('all to be delivered', async () => {
    const rows = await rowsOf(batch)
    const stopped = rows.find(({ State }) => State === 'stopped')
    if (stopped) throw new Error(`${stopped.Name} stopped: ${stopped.Why?.Text}`)
    return rows.filter(({ State }) => State === 'delivered').length === count && rows
  }, PATIENCE)
}

function write(name: string, bytes: Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

/** Takes everything that waits at the daemon. */
async function fetched(): Promise<Map<string, string>> {
  const into = mkdtempSync(join(folder, 'got-'))
  const { code, stderr } = await real.tailscale('file', 'get', into)
  expect(code, stderr).toBe(0)
  return new Map(readdirSync(into).map((name) => [name, sha256(readFileSync(join(into, name)))]))
}

labSuite(
  'sending to a tailscaled',
  {},
  async (lab) => {
    ;[ours, real] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real')])
    await Promise.all([ours.waitUsable(real), real.waitUsable(ours)])
    await waitTarget(ours, real)
    peer = (await ours.peer('real'))!.ID
  },
  () => {
    test('a file arrives whole, and nothing is claimed to be checked there', async () => {
      const content = randomBytes(8_000_001)
      const { Batch } = await act({ Do: 'send', Peer: peer, Items: [{ Path: write('a b%20ü.bin', content) }] })
      const [row] = await delivered(Batch!, 1)
      expect(row).toMatchObject({ Checked: false, Done: content.length, Size: content.length, Kind: 'file' })
      expect(await fetched()).toEqual(new Map([['a b%20ü.bin', sha256(content)]]))
    })

    test('what was paused goes on where it was', async () => {
      const content = randomBytes(60_000_000)
      const { Batch } = await act({ Do: 'send', Peer: peer, Items: [{ Path: write('large.bin', content) }] })
      await waitFor('something to be sent', async () => (await rowsOf(Batch!))[0]!.Done > 3_000_000, { ...PATIENCE, everyMs: 5 })
      await act({ Do: 'pause', ID: Batch! })
      expect((await waitFor('the pause', async () => (await rowsOf(Batch!)).find(({ State }) => State === 'paused'), PATIENCE)).Done).toBeLessThan(content.length)
      const before = (await ours.peer('real'))!.TxBytes
      await act({ Do: 'resume', ID: Batch! })
      await delivered(Batch!, 1)
      expect((await ours.peer('real'))!.TxBytes - before).toBeLessThan(content.length)
      expect(await fetched()).toEqual(new Map([['large.bin', sha256(content)]]))
    })

    test('a folder arrives as an archive, and a hundred files at once each as it was', async () => {
      mkdirSync(join(folder, 'tree/below'), { recursive: true })
      const small = Array.from({ length: 100 }, (_, i) => [`small ${i}`, randomBytes(1_000)] as const)
      for (const [name, bytes] of small) write(name, bytes)
      write('tree/one', Buffer.from('first'))
      write('tree/below/two', randomBytes(100_000))
      const { Batch } = await act({ Do: 'send', Peer: peer, Items: ['tree', ...small.map(([name]) => name)].map((name) => ({ Path: join(folder, name) })) })
      const rows = await delivered(Batch!, 101)
      expect(rows.find(({ Name }) => Name === 'tree')!.Kind).toBe('archive')
      const got = await fetched()
      for (const [name, bytes] of small) expect(got.get(name)).toBe(sha256(bytes))
      expect(got.has('tree.zip')).toBe(true)
    })

    test('the official command sends through us, and the bus says how far it is', async () => {
      const content = randomBytes(5_000_000)
      const files: { Name: string; Sent: number; Finished: boolean; Succeeded: boolean }[] = []
      const watch = ours.api.watch(64, (notify) => files.push(...((notify['OutgoingFiles'] as typeof files | undefined) ?? [])))
      const { code, stderr } = await ours.tailscale('file', 'cp', write('by hand.bin', content), write('second', content.subarray(7)), 'real:')
      expect(code, stderr).toBe(0)
      await waitFor('the bus to say that it is there', () => files.find(({ Name, Finished, Succeeded, Sent }) => Name === 'by hand.bin' && Finished && Succeeded && Sent === content.length), PATIENCE)
      watch.stop()
      expect(await fetched()).toEqual(new Map([['by hand.bin', sha256(content)], ['second', sha256(content.subarray(7))]]))
      const { Rows } = JSON.parse((await ours.api.call('GET', 'bowline/transfers')).text) as TransfersPage
      expect(Rows.find(({ Name }) => Name === 'by hand.bin')).toMatchObject({ State: 'delivered', Direction: 'out', Size: content.length })
    })

    test('a device that takes no files is told of by the words of a stock daemon', async () => {
      const [here, there] = await Promise.all([ours, real].map(async ({ api }) => {
        const { status, text } = await api.call('PUT', 'file-put/nobody/f', 'abc')
        return `${status} ${text}`
      }))
      expect(here).toBe(there)
    })
  },
)
