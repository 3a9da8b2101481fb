import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { JournalFile } from '../../../main/engine/io/journal-file.ts'
import { HandClock } from '../../sim/clock.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'

let dir: string
let failures: string[]
const clock = new HandClock()
const open = (at: string | undefined = dir): JournalFile => new JournalFile({ clock, dir: at, onFailure: (message) => failures.push(message) })
beforeEach(() => {
  dir = makeTempDir('journal')
  failures = []
})
afterEach(() => removeTempDir(dir))

describe('the journal file', () => {
  test('is written by the way, for its owner alone, and numbering goes on in the next life', () => {
    const journal = open()
    journal.add({ part: 'test', kind: 'a' })
    clock.advance(1500)
    expect(readFileSync(join(dir, 'journal.ndjson'), 'utf8')).toContain('"kind":"a"')
    expect(statSync(join(dir, 'journal.ndjson')).mode & 0o777).toBe(0o600)
    const next = open()
    next.add({ part: 'test', kind: 'b' })
    expect(next.tail(10)).toMatchObject([{ seq: 2, kind: 'b' }])
  })

  test('starts a new generation before it grows too large', () => {
    writeFileSync(join(dir, 'journal.ndjson'), `{"seq":41,"atMs":${clock.wallMs()},"part":"t","kind":"k"}\n`.padEnd(10 * 1024 * 1024, ' '))
    const journal = open()
    journal.add({ part: 'test', kind: 'new' })
    journal.flush()
    expect(statSync(join(dir, 'journal.ndjson')).size).toBeLessThan(1000)
    expect(statSync(join(dir, 'journal.1.ndjson')).size).toBeGreaterThan(1_000_000)
  })

  test('that cannot be written is told once and the events stay in memory', () => {
    writeFileSync(join(dir, 'file'), '')
    const journal = open(join(dir, 'file'))
    journal.add({ part: 'test', kind: 'a' })
    journal.flush()
    expect(failures).toHaveLength(1)
    expect(journal.tail(5)).toHaveLength(1)
  })
})
