/**
 * Files between our engine and a real tailscaled, both ways, over a direct path and over the relay: whole, under the name that was
 * said, at every size around a block's end.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'
import { contentOf, filePut, folderBeside, makeGoods, peerApiOf, putHead, rawRequest, readWaiting, removeWaiting, sha256, waitingFiles, waitTarget, type Goods } from './lab/taildrop.ts'

let ours: LabNode
let real: LabNode
let relayed: LabNode
let folder = ''
let made = 0

const SIZES = [0, 1, 65_535, 65_536, 65_537, 5_000_000]
const LARGE_BYTES = 100_000_000
const RELAYED_BYTES = 5_000_000
const NAMES = ['two words.txt', 'grüße – naïve.txt', '日本語のファイル.pdf', '🎉 party 🚀.png', '100% done.txt', '%41%2e%2e.txt', "it's & more;=+#?.txt", 'a.tar.gz', '-rf', '.hidden']

function goods(size: number): Goods {
  return makeGoods(join(folder, String(++made)), size, made)
}

/** Sends, and looks at what came; the file is taken away again. */
async function deliver(from: LabNode, to: LabNode, sent: Goods, name: string): Promise<void> {
  const reply = await filePut(from, to, sent, name)
  expect(reply.status, reply.text).toBe(200)
  // Who says that it was delivered says so after the last step.
  expect((await waitingFiles(to)).get(name)).toBe(sent.size)
  expect(await readWaiting(to, name)).toEqual({ size: sent.size, sha256: sent.sha256 })
  await removeWaiting(to, name)
}

labSuite(
  'Taildrop',
  {},
  async (lab) => {
    ;[ours, real, relayed] = await Promise.all([
      lab.join('bowline', 'ours'), lab.join('tailscaled', 'real'), lab.join('tailscaled', 'relayed', { env: { TS_DEBUG_ALWAYS_USE_DERP: 'true' } }),
    ])
    const pairs = [[ours, real], [real, ours], [ours, relayed], [relayed, ours]] as const
    await Promise.all(pairs.flatMap(([a, b]) => [a.waitUsable(b), waitTarget(a, b)]))
    await Promise.all([ours.waitDirect(real), real.waitDirect(ours)])
    folder = folderBeside(ours, 'goods')
    mkdirSync(folder)
  },
  () => {
    describe.each(['from a tailscaled to us', 'from us to a tailscaled'])('%s', (way) => {
      const ends = (): [LabNode, LabNode] => (way === 'from us to a tailscaled' ? [ours, real] : [real, ours])
      const relayEnds = (): [LabNode, LabNode] => (way === 'from us to a tailscaled' ? [ours, relayed] : [relayed, ours])

      test.each(SIZES)('a file of %i bytes arrives whole', async (size) => {
        await deliver(...ends(), goods(size), `size ${size}.bin`)
      })

      test('a file of 100 MB arrives whole over a direct path', async () => {
        await deliver(...ends(), goods(LARGE_BYTES), 'large.bin')
        expect((await ends()[0].peer(ends()[1].name))?.CurAddr).not.toBe('')
      })

      test.each([0, 65_537, RELAYED_BYTES])('a file of %i bytes arrives whole over the relay', async (size) => {
        await deliver(...relayEnds(), goods(size), `relayed ${size}.bin`)
        expect((await relayEnds()[0].peer(relayEnds()[1].name))?.CurAddr).toBe('')
      })

      test('names arrive letter by letter', async () => {
        const sent = goods(1000)
        for (const name of NAMES) await deliver(...ends(), sent, name)
      })

      test('another file of the same name lies beside the first, and the same file again changes nothing', async () => {
        const [from, to] = ends()
        const [one, two] = [goods(70_000), goods(70_000)]
        expect((await filePut(from, to, one, 'twice.txt')).status).toBe(200)
        expect((await filePut(from, to, one, 'twice.txt')).status).toBe(200)
        expect([...(await waitingFiles(to)).keys()]).toEqual(['twice.txt'])
        expect((await filePut(from, to, two, 'twice.txt')).status).toBe(200)
        expect([...(await waitingFiles(to)).keys()].toSorted()).toEqual(['twice (1).txt', 'twice.txt'])
        expect((await readWaiting(to, 'twice.txt')).sha256).toBe(one.sha256)
        expect((await readWaiting(to, 'twice (1).txt')).sha256).toBe(two.sha256)
        for (const name of ['twice.txt', 'twice (1).txt']) await removeWaiting(to, name)
      })

      test('eight files at once arrive whole', async () => {
        const [from, to] = ends()
        const sent = Array.from({ length: 8 }, (_, i) => ({ name: `at once ${i}.bin`, goods: goods(i * 300_000) }))
        for (const reply of await Promise.all(sent.map((one) => filePut(from, to, one.goods, one.name)))) expect(reply.status, reply.text).toBe(200)
        for (const one of sent) {
          expect((await readWaiting(to, one.name)).sha256).toBe(one.goods.sha256)
          await removeWaiting(to, one.name)
        }
      })
    })

    test.each(['v4', 'v6'] as const)('a PUT to our %s address is received like one to a tailscaled', async (family) => {
      const bytes = contentOf(200_000, 7)
      for (const [by, to] of [[real, ours], [ours, real]] as const) {
        const at = await peerApiOf(to, by)
        const place = { host: at[family], port: family === 'v4' ? at.port4 : at.port6 }
        const answer = await rawRequest(by, place, Buffer.concat([Buffer.from(putHead(`by-${family}.bin`, { 'Content-Length': bytes.length })), bytes]))
        expect([answer.status, answer.body]).toEqual([200, '{}\n'])
        expect(await readWaiting(to, `by-${family}.bin`)).toEqual({ size: bytes.length, sha256: sha256(bytes) })
        await removeWaiting(to, `by-${family}.bin`)
      }
    })
  },
)
