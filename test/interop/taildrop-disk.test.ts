/**
 * A disk that fills while files come in: the engine lives on a small one of its own, in a mount namespace.
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dialVia } from '../support/proxy-client.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'
import { beginByPath, contentOf, filePut, folderBeside, makeGoods, peerApiOf, putHead, stableId, waitRows, waitTarget } from './lab/taildrop.ts'

/** The engine keeps 64 MiB of every disk free. */
const DISK_MB = 120
const TOO_MUCH = 100_000_000
const FITS = 5_000_000

const unshare = process.getuid?.() === 0 ? ['unshare', '-m'] : ['unshare', '-rm']
const missing = spawnSync(unshare[0]!, [...unshare.slice(1), 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0 ? undefined : 'no mount namespaces here'

let ours: LabNode
let asker: LabNode
let sender: LabNode
let inbox = ''
let folder = ''

/** What lies in the engine's own view of its folder. */
const inside = (): string => `/proc/${ours.pid}/root${inbox}`

if (missing === undefined) {
  labSuite(
    'Taildrop on a small disk',
    {},
    async (lab) => {
      inbox = join(lab.folder, 'small')
      mkdirSync(inbox)
      const prefix = [...unshare, 'sh', '-c', `mount -t tmpfs -o size=${DISK_MB}m none '${inbox}' && exec "$0" "$@"`]
      ;[ours, asker, sender] = await Promise.all([lab.join('bowline', 'ours', { prefix }), lab.join('tailscaled', 'asker'), lab.join('bowline', 'sender')])
      await Promise.all([asker, sender].flatMap((node) => [node.waitUsable(ours), waitTarget(node, ours)]))
      folder = folderBeside(ours, 'goods')
      mkdirSync(folder)
      const { status, text } = await ours.api.call('PATCH', 'bowline/extras', { Taildrop: { Folder: inbox } })
      if (status !== 200) throw new Error(`${status} ${text}`)
    },
    () => {
      test('a file that does not fit is refused before it comes, and one that fits is received', async () => {
        const [large, small] = [makeGoods(join(folder, 'large'), TOO_MUCH), makeGoods(join(folder, 'small'), FITS)]
        expect((await filePut(asker, ours, large, 'large.bin')).status).toBeGreaterThanOrEqual(400)
        expect(readdirSync(inside())).toEqual([])
        expect((await filePut(asker, ours, small, 'small.bin')).status).toBe(200)
        expect(readdirSync(inside())).toEqual(['small.bin'])
        rmSync(join(inside(), 'small.bin'))
      })

      test('one of ours is told why, and says so', async () => {
        const batch = await beginByPath(sender, ours, [makeGoods(join(folder, 'ours'), TOO_MUCH)])
        const rows = await waitRows(sender, batch, (all) => all[0]?.State === 'stopped')
        expect(rows[0]?.Why?.Code).toBe('peer-no-space')
        expect(readdirSync(inside())).toEqual([])
      })

      test('a sender that never ends is ended before the disk is full, and others are received after it', async () => {
        const at = await peerApiOf(ours, asker)
        const socket = await dialVia(asker.via(), at.v4, at.port4, 30_000)
        socket.on('error', () => {})
        let answer = ''
        socket.on('data', (bytes: Buffer) => (answer += bytes.toString('latin1')))
        socket.write(putHead('endless.bin', { 'Transfer-Encoding': 'chunked' }))
        const piece = contentOf(1 << 20, 1)
        const chunk = Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])
        let sent = 0
        while (!socket.destroyed && answer === '' && sent < 20 * DISK_MB) {
          sent++
          if (!socket.write(chunk)) await Promise.race([once(socket, 'drain'), once(socket, 'close'), once(socket, 'data')]).catch(() => undefined)
        }
        expect(sent).toBeLessThan(20 * DISK_MB)
        if (answer !== '') expect(Number(answer.split(' ')[1])).toBeGreaterThanOrEqual(500)
        socket.destroy()
        expect(readdirSync(inside()).filter((name) => !name.endsWith('.partial'))).toEqual([])
        for (const name of readdirSync(inside())) expect(name).toBe(`endless.bin.${await stableId(asker)}.partial`)
        for (const name of readdirSync(inside())) rmSync(join(inside(), name))
        expect((await filePut(asker, ours, makeGoods(join(folder, 'after'), FITS), 'after.bin')).status).toBe(200)
      })
    },
  )
} else test.skip(`Taildrop on a small disk (${missing})`, () => {})
