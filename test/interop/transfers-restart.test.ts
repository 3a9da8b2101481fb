/**
 * The queue of two real engines of ours over a real network: one that is killed in the middle, and a device that is away.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import type { TransferAction, TransferResult, TransferRow, TransfersPage } from '../../main/localapi/transfers.ts'
import { waitFor } from '../support/wait.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

let one: LabNode
let two: LabNode
let peer = ''
const folder = mkdtempSync(join(tmpdir(), 'bwl-again-'))
const inbox = join(folder, 'inbox')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PATIENCE = { withinMs: 90_000, everyMs: 50 }
const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

function make(name: string, size: number): string {
  const path = join(folder, name)
  writeFileSync(path, randomBytes(size))
  return path
}

async function send(...paths: readonly string[]): Promise<string> {
  const action: TransferAction = { Do: 'send', Peer: peer, Items: paths.map((Path) => ({ Path })) }
  const { status, text } = await one.api.call('POST', 'bowline/transfers', action)
  expect(status, text).toBe(200)
  return (JSON.parse(text) as TransferResult).Batch!
}

async function rows(node: LabNode): Promise<readonly TransferRow[]> {
  return (JSON.parse((await node.api.call('GET', 'bowline/transfers')).text) as TransfersPage).Rows
}

async function until(what: string, batch: string, holds: (rows: readonly TransferRow[]) => boolean): Promise<readonly TransferRow[]> {
  return waitFor(what, async () => {
    const all = (await rows(one)).filter((row) => row.Batch === batch)
    if (!holds(all)) throw new Error(all.map(({ State, Done, Why }) => `${State} ${Done} ${Why?.Text ?? ''}`).join('; '))
    return all
  }, PATIENCE)
}

const allAre = (state: string) => (some: readonly TransferRow[]) => some.every(({ State }) => State === state)

labSuite(
  'transfers over engines that end',
  {},
  async (lab) => {
    mkdirSync(inbox)
    ;[one, two] = await Promise.all([lab.join('bowline', 'one'), lab.join('bowline', 'two')])
    await one.waitDirect(two)
    peer = (await one.peer('two'))!.ID
    expect((await two.api.call('PATCH', 'bowline/extras', { Taildrop: { Folder: inbox } })).status).toBe(200)
  },
  () => {
    test('a sender that is killed in the middle goes on by itself, and what arrives is whole and checked', async () => {
      const big = make('big.bin', 200_000_000)
      const batch = await send(big, make('small.txt', 1_000))
      const moving = await until('the middle of it', batch, (some) => some.some(({ Name, State, Done }) => Name === 'big.bin' && State === 'sending' && Done > 20_000_000))
      expect(moving.find(({ Name }) => Name === 'big.bin')).toMatchObject({ Rate: expect.any(Number), Path: { Kind: 'direct', Via: '' } })
      await one.stop('kill')
      await one.start()
      for (const row of await until('all delivered', batch, allAre('delivered'))) expect(row).toMatchObject({ Checked: true, Done: row.Size })
      for (const name of ['big.bin', 'small.txt']) expect(hashOf(join(inbox, name)), name).toBe(hashOf(join(folder, name)))
      expect(readdirSync(inbox).toSorted()).toEqual(['big.bin', 'small.txt'])
    }, 240_000)

    test('what is for a device that is away waits, and goes when it comes', async () => {
      await two.stop()
      const batch = await send(make('later.txt', 5_000))
      await until('waiting', batch, allAre('waiting-device'))
      await two.start()
      await until('delivered', batch, allAre('delivered'))
      expect(hashOf(join(inbox, 'later.txt'))).toBe(hashOf(join(folder, 'later.txt')))
    }, 240_000)
  },
)
