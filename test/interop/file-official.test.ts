/**
 * Files by the official `tailscale file` on our socket and by `bowline file` with our engine, both ways with a real tailscaled.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { TransfersPage } from '../../main/localapi/transfers.ts'
import { run } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

let ours: LabNode
let twin: LabNode
let real: LabNode
let from: string
const NAMES = ['big.bin', 'none.txt', 'two words.txt', 'résumé ✓ 東京.txt']

const hash = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

describe('files', () => {
  labSuite(
    'files both ways',
    { relays: 'derper' },
    async (lab) => {
      ;[ours, twin, real] = await Promise.all([lab.join('bowline', 'ours'), lab.join('bowline', 'twin'), lab.join('tailscaled', 'real')])
      await Promise.all([ours.waitDirect(real), ours.waitDirect(twin)])
      from = join(lab.folder, 'from')
      mkdirSync(join(from, 'photos', 'sub'), { recursive: true })
      for (const [name, size] of [['big.bin', 5_000_000], ['none.txt', 0], ['two words.txt', 20], ['résumé ✓ 東京.txt', 30], ['photos/a.jpg', 1_000], ['photos/sub/b.jpg', 2_000]] as const) writeFileSync(join(from, name), randomBytes(size))
    },
    (lab) => {
      const file = (name: string): string => join(from, name)
      const folder = (name: string): string => {
        mkdirSync(join(lab().folder, name), { recursive: true })
        return join(lab().folder, name)
      }
      const expectAll = (to: string): void => {
        for (const name of NAMES) expect(hash(join(to, name)), name).toBe(hash(file(name)))
      }
      const page = async (node: LabNode): Promise<TransfersPage> => JSON.parse((await node.api.call('GET', 'bowline/transfers')).text) as TransfersPage

      test('the official command receives on our socket what a stock device sent', async () => {
        expect(await real.tailscale('file', 'cp', ...NAMES.map(file), 'ours:')).toMatchObject({ code: 0 })
        const to = folder('official-get')
        const got = await ours.tailscale('file', 'get', '--wait', '--verbose', to)
        expect(got).toMatchObject({ code: 0, stdout: expect.stringContaining('moved 4/4 files') })
        expectAll(to)
        expect((await ours.api.call('GET', 'files/')).text).toBe('null\n')
      })

      test('the official command sends on our socket to a stock device, and lists whom it can send to', async () => {
        const sent = await ours.tailscale('file', 'cp', '--verbose', ...NAMES.map(file), 'real:')
        expect(sent.code, sent.stderr).toBe(0)
        const piped = await run('sh', ['-c', `printf 'SELECT 1;' | "$0" --socket="$1" file cp --name=shop.sql - real:`, lab().peers.tailscale, ours.api.socketPath])
        expect(piped.code, piped.stderr).toBe(0)
        const to = folder('official-cp')
        expect(await real.tailscale('file', 'get', to)).toMatchObject({ code: 0 })
        expectAll(to)
        expect(readFileSync(join(to, 'shop.sql'), 'utf8')).toBe('SELECT 1;')
        expect((await ours.tailscale('file', 'cp', '--targets')).stdout).toBe((await ours.bowline('file', 'cp', '--targets')).stdout)
        expect(await ours.tailscale('file', 'cp', file('photos'), 'real:')).toMatchObject({ code: 1, stderr: expect.stringContaining('directories not supported') })
      })

      test('our command receives them too, and its list knows where they came from', async () => {
        expect(await real.tailscale('file', 'cp', ...NAMES.map(file), 'ours:')).toMatchObject({ code: 0 })
        expect((await ours.bowline('file', 'list')).stdout).toContain('from real')
        const to = folder('our-get')
        expect(await ours.bowline('file', 'get', to)).toMatchObject({ code: 0, stderr: '' })
        expectAll(to)
        expect(await ours.bowline('file', 'get', '--json', to)).toMatchObject({ code: 0, stdout: '{\n  "Moved": [],\n  "Failed": []\n}\n' })
      })

      test('our command sends to a stock device, a folder packed, and says delivered but not checked', async () => {
        const sent = await ours.bowline('file', 'cp', ...NAMES.map(file), file('photos'), 'real:')
        expect(sent).toMatchObject({ code: 0, stderr: '' })
        for (const name of NAMES) expect(sent.stdout).toContain(`${name}: delivered to real (`)
        expect(sent.stdout).toContain('photos: delivered to real, packed as photos.zip (')
        const to = folder('sent-to-stock')
        expect(await real.tailscale('file', 'get', to)).toMatchObject({ code: 0 })
        expectAll(to)
        expect(readFileSync(join(to, 'photos.zip')).includes(readFileSync(file('photos/sub/b.jpg')))).toBe(true)
      })

      test('between two of ours it is checked there; --json tells the rows', async () => {
        const sent = await ours.bowline('file', 'cp', '--json', ...NAMES.map(file), 'twin:')
        expect(sent.code, sent.stdout + sent.stderr).toBe(0)
        const { Rows } = JSON.parse(sent.stdout) as TransfersPage
        expect(Rows.map(({ Name, State, Checked }) => [Name, State, Checked])).toEqual(NAMES.map((name) => [name, 'delivered', true]))
        const to = folder('sent-to-ours')
        expect(await twin.bowline('file', 'get', to)).toMatchObject({ code: 0, stderr: '' })
        expectAll(to)
      })

      test('what waits for a device that is away goes when it is there; the queue can be paused and canceled', async () => {
        await real.stop()
        const queued = await ours.bowline('file', 'cp', '--queue', file('none.txt'), file('two words.txt'), 'real:')
        expect(queued.stdout).toContain('Queued for real')
        const [first, second] = (await page(ours)).Rows.filter(({ State }) => State !== 'delivered' && State !== 'received')
        expect(await ours.bowline('file', 'pause', second!.ID)).toMatchObject({ code: 0 })
        const waits = ours.startBowline('file', 'cp', file('big.bin'), 'real:')
        await waitFor('all three in the queue', async () => (await page(ours)).Rows.filter(({ State }) => State !== 'delivered' && State !== 'received').length === 3, { withinMs: 60_000 })
        await real.start()
        expect((await waits.exited).code).toBe(0)
        await waitFor('the first to be delivered', async () => (await page(ours)).Rows.find(({ ID }) => ID === first!.ID)?.State === 'delivered', { withinMs: 60_000 })
        expect(await ours.bowline('file', 'cancel', second!.ID)).toMatchObject({ code: 0, stdout: expect.stringContaining('Canceled: two words.txt') })
        const to = folder('later')
        await real.tailscale('file', 'get', to)
        expect(hash(join(to, 'big.bin'))).toBe(hash(file('big.bin')))
      })

      test('rules: what is asked for is accepted by the command, what is refused never comes', async () => {
        expect((await ours.bowline('file', 'rule', 'real', 'ask')).stdout).toContain('you are asked first')
        const sending = real.startBowline('file', 'cp', file('two words.txt'), 'ours:')
        await waitFor('the ask', async () => (await page(ours)).Asks.length === 1, { withinMs: 30_000 })
        expect((await ours.bowline('file', 'list')).stdout).toContain('real (alice) wants to send two words.txt')
        expect(await ours.bowline('file', 'accept', 'real')).toMatchObject({ code: 0 })
        expect((await sending.exited).code).toBe(0)
        expect(await ours.bowline('file', 'rule', 'real', 'refuse')).toMatchObject({ code: 0 })
        expect(await real.bowline('file', 'cp', file('two words.txt'), 'ours:')).toMatchObject({ code: 1, stderr: expect.stringMatching(/^two words\.txt: not sent to ours: /m) })
        const to = folder('rules')
        expect((await ours.bowline('file', 'get', to)).stdout).toBe(`two words.txt: saved as ${to}/two words.txt (20 bytes)\n`)
        expect(await ours.bowline('file', 'rule', 'real', 'default')).toMatchObject({ code: 0 })
      })

      test('with a folder of choice files are there at once, and get says so', async () => {
        const inbox = folder('inbox')
        expect(await ours.bowline('file', 'folder', inbox)).toMatchObject({ code: 0 })
        expect(await real.tailscale('file', 'cp', file('two words.txt'), 'ours:')).toMatchObject({ code: 0 })
        expect(hash(join(inbox, 'two words.txt'))).toBe(hash(file('two words.txt')))
        expect((await ours.bowline('file', 'get', folder('none'))).stdout).toBe(`Nothing waits here: files go to ${inbox} at once.\n`)
      })
    },
  )
})
