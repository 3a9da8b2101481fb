/**
 * Much at once between our engines and a real tailscaled: a thousand small files, and folders.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'
import { beginByPath, contentOf, folderBeside, makeGoods, readWaiting, removeWaiting, sendByPath, sha256, waitingFiles, waitRows, waitTarget } from './lab/taildrop.ts'

let ours: LabNode
let other: LabNode
let real: LabNode
let folder = ''

const MANY = 1000

/** Every file below a folder by its path, with its hash; empty folders too. */
function contentsOf(root: string): Record<string, string> {
  const all: Record<string, string> = {}
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(root.length + 1)
    if (entry.isFile()) all[name] = sha256(readFileSync(path))
    else if (readdirSync(path).length === 0) all[`${name}/`] = ''
  }
  return all
}

labSuite(
  'Taildrop of much',
  {},
  async (lab) => {
    ;[ours, other, real] = await Promise.all([lab.join('bowline', 'ours'), lab.join('bowline', 'other'), lab.join('tailscaled', 'real')])
    const pairs = [[ours, other], [ours, real], [real, ours]] as const
    await Promise.all(pairs.flatMap(([a, b]) => [a.waitUsable(b), waitTarget(a, b)]))
    await Promise.all(pairs.map(([a, b]) => a.waitDirect(b)))
    folder = folderBeside(ours, 'goods')
    mkdirSync(folder)
  },
  () => {
    const small = (): Map<string, string> => {
      mkdirSync(join(folder, 'small'), { recursive: true })
      return new Map(Array.from({ length: MANY }, (_, i) => {
        const goods = makeGoods(join(folder, 'small', `file ${i}.txt`), (i * 37) % 9000, i + 1)
        return [`file ${i}.txt`, goods.sha256]
      }))
    }

    async function expectAll(node: LabNode, sent: ReadonlyMap<string, string>): Promise<void> {
      const there = await waitingFiles(node)
      expect([...there.keys()].toSorted()).toEqual([...sent.keys()].toSorted())
      for (const [name, hash] of sent) {
        expect((await readWaiting(node, name)).sha256, name).toBe(hash)
        await removeWaiting(node, name)
      }
    }

    test.each(['one of ours', 'a tailscaled'])('a thousand small files to %s all arrive whole', async (kind) => {
      const to = kind === 'a tailscaled' ? real : other
      const sent = small()
      await sendByPath(ours, to, [...sent.keys()].map((name) => ({ path: join(folder, 'small', name) })))
      await expectAll(to, sent)
    })

    test('a thousand small files of the official command all arrive whole at ours', async () => {
      const sent = small()
      const { code, stderr } = await real.tailscale('file', 'cp', ...[...sent.keys()].map((name) => join(folder, 'small', name)), 'ours:')
      expect(code, stderr.slice(-500)).toBe(0)
      await expectAll(ours, sent)
    })

    test('a folder arrives as it is at ours, and as one archive at a tailscaled', async () => {
      const root = join(folder, 'a folder with – everything')
      mkdirSync(join(root, 'deep/er/and empty'), { recursive: true })
      for (let i = 0; i < 100; i++) {
        mkdirSync(join(root, `part ${i % 7}`), { recursive: true })
        writeFileSync(join(root, `part ${i % 7}`, `🎉 ${i}.bin`), contentOf(i * 3001, i + 1))
      }
      writeFileSync(join(root, '.hidden'), '')
      const inbox = folderBeside(ours, 'inbox')
      mkdirSync(inbox)
      expect((await other.api.call('PATCH', 'bowline/extras', { Taildrop: { Folder: inbox } })).status).toBe(200)
      const batch = await beginByPath(ours, other, [{ path: root }])
      const rows = await waitRows(ours, batch, (all) => all[0]?.State === 'delivered')
      expect(rows[0]).toMatchObject({ Kind: 'folder', Checked: true, Files: 101 })
      expect(readdirSync(inbox)).toEqual(['a folder with – everything'])
      expect(contentsOf(join(inbox, 'a folder with – everything'))).toEqual(contentsOf(root))
      expect((await other.api.call('PATCH', 'bowline/extras', { Taildrop: { Folder: '' } })).status).toBe(200)

      await sendByPath(ours, real, [{ path: root }])
      expect([...(await waitingFiles(real)).keys()]).toEqual(['a folder with – everything.zip'])
      await removeWaiting(real, 'a folder with – everything.zip')
    })
  },
)
