/**
 * `bowline file` on the socket of a stock daemon, which keeps no queue: our command with their daemon, both ways.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { Child, run } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const NODE = `${root}node_modules/.bin/node`
const COMMAND = `${root}build/scripts/bowline.mjs`

const hash = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

describe('our command with a stock daemon', () => {
  let one: LabNode
  let two: LabNode
  let from: string
  let to: string
  labSuite(
    'files',
    { relays: 'derper' },
    async (lab) => {
      ;[one, two] = await Promise.all([lab.join('tailscaled', 'one'), lab.join('tailscaled', 'two')])
      await one.waitDirect(two)
      ;[from, to] = [join(lab.folder, 'from'), join(lab.folder, 'to')]
      for (const folder of [from, to, join(from, 'photos', 'sub')]) mkdirSync(folder, { recursive: true })
      for (const [name, size] of [['big.bin', 5_000_000], ['none.txt', 0], ['two words.txt', 20], ['résumé ✓ 東京.txt', 30], ['photos/a.jpg', 1_000], ['photos/sub/b.jpg', 2_000]] as const) writeFileSync(join(from, name), randomBytes(size))
      symlinkSync('/etc/passwd', join(from, 'photos', 'link'))
    },
    (lab) => {
      const file = (name: string): string => join(from, name)

      test('sends files of all kinds and a folder packed, and fetches them whole', async () => {
        const names = ['big.bin', 'none.txt', 'two words.txt', 'résumé ✓ 東京.txt']
        const sent = await one.bowline('file', 'cp', ...names.map(file), file('photos'), 'two:')
        expect(sent).toMatchObject({ code: 0, stderr: '' })
        expect(sent.stdout).toBe('big.bin: delivered to two (5.0 MB)\nnone.txt: delivered to two (0 bytes)\ntwo words.txt: delivered to two (20 bytes)\nrésumé ✓ 東京.txt: delivered to two (30 bytes)\nphotos.zip: delivered to two (3.3 kB)\n')
        const got = await two.bowline('file', 'get', to)
        expect(got).toMatchObject({ code: 0, stderr: '' })
        for (const name of names) expect(hash(join(to, name)), name).toBe(hash(file(name)))
        const zip = readFileSync(join(to, 'photos.zip'))
        expect(['photos/a.jpg', 'photos/sub/b.jpg', 'photos/link'].map((name) => zip.includes(name))).toEqual([true, true, false])
        expect(zip.includes(readFileSync(file('photos/sub/b.jpg')))).toBe(true)
        expect(readdirSync(to).filter((name) => name.startsWith('.'))).toEqual([])
        expect(await two.bowline('file', 'get', to)).toMatchObject({ code: 0, stdout: 'No file waits.\n' })
      })

      test('sends what is piped in under the name that it is given', async () => {
        const piped = (words: string): Promise<{ code: number | null; stdout: string; stderr: string }> => run('sh', ['-c', `printf 'SELECT 1;' | "$0" "$1" --socket="$2" file cp ${words} two:`, NODE, COMMAND, one.api.socketPath])
        expect(await piped('--name=shop.sql -')).toMatchObject({ code: 0, stdout: 'shop.sql: delivered to two (9 bytes)\n' })
        expect(await piped('-')).toMatchObject({ code: 0, stdout: 'stdin.txt: delivered to two (9 bytes)\n' })
        expect((await two.bowline('file', 'get', '--json', to)).stdout).toContain('"shop.sql"')
        expect(readFileSync(join(to, 'shop.sql'), 'utf8')).toBe('SELECT 1;')
      })

      test('overwrites nothing that it was not asked to, and follows no link', async () => {
        const again = async (): Promise<void> => expect((await one.bowline('file', 'cp', file('two words.txt'), 'two:')).code).toBe(0)
        await again()
        const skipped = await two.bowline('file', 'get', to)
        expect(skipped).toMatchObject({ code: 1, stderr: expect.stringContaining('two words.txt is not saved') })
        expect(await two.bowline('file', 'get', '--conflict=rename', to)).toMatchObject({ code: 0, stdout: expect.stringContaining('two words (1).txt') })
        const elsewhere = join(lab().folder, 'elsewhere')
        writeFileSync(elsewhere, 'mine')
        const linked = join(lab().folder, 'linked')
        mkdirSync(linked)
        symlinkSync(elsewhere, join(linked, 'two words.txt'))
        await again()
        expect((await two.bowline('file', 'get', linked)).code).toBe(1)
        expect((await two.bowline('file', 'get', '--conflict=overwrite', linked)).code).toBe(0)
        expect([readFileSync(elsewhere, 'utf8'), hash(join(linked, 'two words.txt'))]).toEqual(['mine', hash(file('two words.txt'))])
      })

      test('--wait waits for the next, --loop for more, and /dev/null deletes', async () => {
        const waits = new Child({ name: 'get', command: NODE, args: [COMMAND, `--socket=${two.api.socketPath}`, 'file', 'get', '--wait', '--verbose', '--conflict=rename', to] })
        await waitFor('the command to wait', () => waits.log.includes('Waiting'), { withinMs: 30_000 })
        await one.bowline('file', 'cp', file('none.txt'), 'two:')
        expect((await waits.exited).code).toBe(0)
        const loops = new Child({ name: 'loop', command: NODE, args: [COMMAND, `--socket=${two.api.socketPath}`, 'file', 'get', '--loop', '--conflict=overwrite', to] })
        for (const name of ['none.txt', 'two words.txt']) {
          await one.bowline('file', 'cp', file(name), 'two:')
          await waitFor(name, () => loops.stdout.includes(`${name}: saved as`), { withinMs: 30_000 })
        }
        loops.signal('SIGINT')
        expect((await loops.exited).code).toBe(130)
        await one.bowline('file', 'cp', file('none.txt'), 'two:')
        expect(await two.bowline('file', 'get', '/dev/null')).toMatchObject({ code: 0, stdout: 'none.txt: deleted (0 bytes)\n' })
      })

      test('says what cannot be: a queue, a list, rules, a device that is none, a file that is not there', async () => {
        expect(await one.bowline('file', 'cp', '--queue', file('none.txt'), 'two:')).toMatchObject({ code: 8, stderr: expect.stringContaining('keeps no queue') })
        expect(await one.bowline('file', 'list')).toMatchObject({ code: 8 })
        expect(await one.bowline('file', 'rule')).toMatchObject({ code: 8 })
        expect(await one.bowline('file', 'targets')).toMatchObject({ code: 8, stderr: expect.stringContaining('--targets') })
        expect(await one.bowline('file', 'cp', file('none.txt'), 'tow:')).toMatchObject({ code: 1, stderr: expect.stringContaining('Did you mean two?') })
        expect(await one.bowline('file', 'cp', file('nothing'), 'two:')).toMatchObject({ code: 1, stderr: expect.stringContaining('is not there') })
        expect(await one.bowline('file', 'cp', file('none.txt'), 'one:')).toMatchObject({ code: 1, stderr: expect.stringContaining('is this device') })
      })

      test('lists targets as the official command does', async () => {
        expect((await one.bowline('file', 'cp', '--targets')).stdout).toBe((await one.tailscale('file', 'cp', '--targets')).stdout)
      })
    },
  )
})
