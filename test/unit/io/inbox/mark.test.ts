/**
 * The mark of what came from the internet: the plans of three systems, and the real attributes where a disk keeps them.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SystemClock } from '../../../../main/engine/io/clock.ts'
import { DiskInbox } from '../../../../main/engine/io/inbox/inbox.ts'
import { planMark } from '../../../../main/engine/io/inbox/mark.ts'
import { loadNative } from '../../../../main/engine/io/native.ts'
import { systemRandom } from '../../../../main/engine/io/random.ts'
import { makeTempDir, removeTempDir } from '../../../support/temp.ts'

const OF = { path: '/in/a b.txt.n1.partial', from: 'laptop.lab.internal.', wallMs: Date.UTC(2026, 0, 2, 3, 4, 5), uuid: '00112233-4455-6677-8899-AABBCCDDEEFF' }

test('on Linux it is two attributes', () => {
  expect(planMark('linux', OF)).toEqual({ kind: 'attributes', values: [['user.xdg.origin.url', 'http://laptop.lab.internal/'], ['user.xdg.referrer.url', 'http://laptop.lab.internal/']] })
})

test('on macOS it is a quarantine that names the program and the time, and never what a link leads to', () => {
  expect(planMark('darwin', OF)).toEqual({
    kind: 'command', program: '/usr/bin/xattr', args: ['-s', '-w', 'com.apple.quarantine', '0081;695735a5;Bowline;00112233-4455-6677-8899-AABBCCDDEEFF', '/in/a b.txt.n1.partial'],
  })
})

test('on Windows it is a stream that says zone 3', () => {
  expect(planMark('win32', { ...OF, path: 'C:\\in\\a.n1.partial' })).toEqual({
    kind: 'stream', path: 'C:\\in\\a.n1.partial:Zone.Identifier', text: '[ZoneTransfer]\r\nZoneId=3\r\nReferrerUrl=http://laptop.lab.internal/\r\nHostUrl=http://laptop.lab.internal/\r\n',
  })
})

test('elsewhere there is none, and a hostile name adds no line', () => {
  expect(planMark('freebsd', OF)).toBeUndefined()
  const plan = planMark('win32', { ...OF, from: `a\r\nZoneId=0\r\n\ud800ü${'x'.repeat(5_000)}` })
  expect(plan?.kind === 'stream' && plan.text.split('\r\n').length).toBe(5)
  expect(plan?.kind === 'stream' && plan.text.length).toBeLessThan(2_500)
})

test('a file has it when it gets its name, and so have those in a folder; a disk without attributes is no fault', async () => {
  const root = makeTempDir('inbox-mark')
  const real = loadNative().setFileAttribute
  const set: string[] = []
  try {
    for (const fails of [false, true]) {
      const folder = join(root, `in-${fails}`)
      mkdirSync(folder)
      const inbox = new DiskInbox({
        env: { clock: new SystemClock(), random: systemRandom },
        setAttribute: (fd, name, value) => {
          if (fails) throw new Error('none here')
          set.push(`${name}=${Buffer.from(value).toString()}`)
          try {
            real?.(fd, name, value)
          } catch (error) {
            // The temporary folder may lie on a disk that keeps none.
            expect(error).toMatchObject({ code: 'not-supported' })
          }
        },
      })
      const place = { folder, sender: 'n1', name: 'a', from: OF.from }
      const file = await inbox.open(place, 0, 1)
      await file.write(Buffer.from('x'))
      expect(await file.finish({ from: OF.from })).toMatchObject({ name: 'a' })
      const below = await inbox.open({ ...place, name: 'd' }, 0, 1, [{ path: 'b/c', size: 1, mtimeMs: 0 }, { path: 'e', size: 0, mtimeMs: 0 }])
      await below.write(Buffer.from('x'))
      expect(await below.finish({ from: OF.from })).toMatchObject({ name: 'd' })
    }
    const two = ['user.xdg.origin.url=http://laptop.lab.internal/', 'user.xdg.referrer.url=http://laptop.lab.internal/']
    if (process.platform === 'linux') expect(set).toEqual([...two, ...two, ...two])
  } finally {
    removeTempDir(root)
  }
})
