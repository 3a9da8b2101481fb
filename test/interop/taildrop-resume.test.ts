/**
 * Transfers that are cut in the middle, between real engines: whoever dies or loses its way, the file arrives whole by itself, and what
 * the other side had is not sent again.
 */
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'
import { beginByPath, folderBeside, makeGoods, readWaiting, removeWaiting, waitingFiles, waitRows, waitTarget, type Goods } from './lab/taildrop.ts'

let from: LabNode
let to: LabNode
let real: LabNode
let folder = ''
let made = 0

const BYTES = 60_000_000
/** What headers add to the bytes of a file on their way, and what a cut may cost: buffers on the way and one block. */
const OVERHEAD = 1.12
const A_CUT = 6_000_000

function goods(size = BYTES): Goods {
  return makeGoods(join(folder, `cut-${++made}.bin`), size, made)
}

const nameOf = ({ path }: Goods): string => path.slice(path.lastIndexOf('/') + 1)

async function sentTo(to: LabNode): Promise<number> {
  return (await from.peer(to.name))?.TxBytes ?? 0
}

/** Bytes that lie partial at a receiver. */
function partialBytes(node: LabNode, name: string): number {
  const files = readdirSync(node.folder, { recursive: true, withFileTypes: true }).filter((file) => file.name.startsWith(`${name}.`) && file.name.endsWith('.partial'))
  return files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0)
}

/** Resolves when at least so much of it has come. */
async function waitPartial(node: LabNode, name: string, bytes: number): Promise<void> {
  await waitFor(`${bytes} bytes of ${name} at ${node.name}`, () => partialBytes(node, name) >= bytes, { withinMs: 60_000, everyMs: 5 })
}

async function expectWhole(node: LabNode, sent: Goods): Promise<void> {
  expect(await readWaiting(node, nameOf(sent))).toEqual({ size: sent.size, sha256: sent.sha256 })
  expect([...(await waitingFiles(node)).keys()]).toEqual([nameOf(sent)])
  await removeWaiting(node, nameOf(sent))
}

labSuite(
  'Taildrop that is cut',
  {},
  async (lab) => {
    // Over the relay a transfer lasts long enough to be cut where a test wants to.
    ;[from, to, real] = await Promise.all([
      lab.join('bowline', 'from'), lab.join('bowline', 'to', { env: { TS_DEBUG_ALWAYS_USE_DERP: 'true' } }), lab.join('tailscaled', 'real', { env: { TS_DEBUG_ALWAYS_USE_DERP: 'true' } }),
    ])
    await Promise.all([from.waitUsable(to), from.waitUsable(real), waitTarget(from, to), waitTarget(from, real)])
    folder = folderBeside(from, 'goods')
    mkdirSync(folder)
  },
  () => {
    beforeEach(async () => {
      await Promise.all([from.waitUsable(to), waitTarget(from, to)])
    })

    async function dies(target: LabNode, isOurs: boolean): Promise<void> {
      const sent = goods()
      const before = await sentTo(target)
      const batch = await beginByPath(from, target, [sent])
      await waitPartial(target, nameOf(sent), BYTES / 3)
      await target.stop('kill')
      expect(partialBytes(target, nameOf(sent))).toBeLessThan(BYTES)
      await target.start()
      const rows = await waitRows(from, batch, (all) => all[0]?.State === 'delivered', 100_000)
      expect(rows[0]).toMatchObject({ Done: BYTES, Size: BYTES, Checked: isOurs })
      await expectWhole(target, sent)
      expect(await sentTo(target) - before).toBeLessThan(BYTES * OVERHEAD + A_CUT)
    }

    test('receivers that die and come again, ours and a tailscaled, get the rest by themselves, and little of it twice', async () => {
      await Promise.all([dies(to, true), dies(real, false)])
    })

    test('a sender that dies and comes again goes on by itself where it was', async () => {
      const sent = goods()
      const batch = await beginByPath(from, to, [sent])
      await waitPartial(to, nameOf(sent), BYTES / 3)
      await from.stop('kill')
      const had = partialBytes(to, nameOf(sent))
      expect(had).toBeLessThan(BYTES)
      await from.start()
      await waitRows(from, batch, (all) => all[0]?.State === 'delivered', 100_000)
      await expectWhole(to, sent)
      // Its counters began anew with it.
      expect(await sentTo(to)).toBeLessThan((BYTES - had) * OVERHEAD + A_CUT)
    })

    test('paused, nothing more comes; resumed, it goes on where it was; canceled, nothing is received', async () => {
      const sent = goods()
      const batch = await beginByPath(from, to, [sent])
      await waitPartial(to, nameOf(sent), BYTES / 4)
      await from.api.call('POST', 'bowline/transfers', { Do: 'pause', ID: batch })
      await waitRows(from, batch, (all) => all[0]?.State === 'paused')
      const before = await sentTo(to)
      const had = partialBytes(to, nameOf(sent))
      await from.api.call('POST', 'bowline/transfers', { Do: 'resume', ID: batch })
      await waitRows(from, batch, (all) => all[0]?.State === 'delivered', 100_000)
      expect(await sentTo(to) - before).toBeLessThan((BYTES - had) * OVERHEAD + A_CUT)
      await expectWhole(to, sent)

      const other = goods()
      const second = await beginByPath(from, to, [other])
      await waitPartial(to, nameOf(other), BYTES / 4)
      await from.api.call('POST', 'bowline/transfers', { Do: 'cancel', ID: second })
      await waitRows(from, second, (all) => all[0]?.State === 'canceled')
      expect((await waitingFiles(to)).size).toBe(0)
    })

    test('what was sent to a device that is away arrives when it comes', async () => {
      const sent = goods(3_000_000)
      await to.stop()
      const batch = await beginByPath(from, to, [sent])
      await waitRows(from, batch, (all) => all[0]?.State === 'waiting-device' || all[0]?.State === 'stopped' || all[0]?.State === 'queued')
      await to.start()
      await waitRows(from, batch, (all) => all[0]?.State === 'delivered', 100_000)
      await expectWhole(to, sent)
    })
  },
)
