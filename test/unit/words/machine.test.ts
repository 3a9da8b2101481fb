/**
 * What the parts of the whole-computer mode tell by code, and every warning of theirs, has words of its own.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { english } from '../../../main/words/english.ts'

const engine = new URL('../../../main/engine/', import.meta.url).pathname
const folders = ['os', 'core/machine', 'features/machine', 'dataplane']
/** Told to nobody: what is looked at again, and why a file could not be written. */
const INNER = new Set(['changed-around'])

function codes(): string[] {
  const files = folders.flatMap((folder) => readdirSync(engine + folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).map((name) => engine + folder + '/' + name))
  const text = [...files, `${engine}wiring-machine.ts`].map((file) => readFileSync(file, 'utf8')).join('\n')
  const told = [...text.matchAll(/\bcode: '([a-z0-9-]+)', text\b|\bCode: '([a-z0-9-]+)', Text\b/g)].map((match) => match[1] ?? match[2]!)
  const steps = readFileSync(`${engine}features/machine/steps.ts`, 'utf8').split('\n').filter((line) => /^const (CODES|BY_STEP)\b|'routes-failed'/.test(line)).join('\n')
  const made = [...steps.matchAll(/(?::|\?\?) '([a-z0-9-]+)'/g)].map((match) => match[1]!)
  return [...new Set([...told, ...made])].filter((code) => !INNER.has(code)).toSorted()
}

describe('the whole computer', () => {
  it('has words for every code that its parts tell', () => {
    const all = codes()
    expect(all).toEqual(expect.arrayContaining(['no-rights', 'tun-gone', 'firewall-foreign', 'no-iproute', 'names-two-owners', 'routes-failed', 'names-failed', 'holding', 'not-linux']))
    expect(all.filter((code) => !Object.hasOwn(english, `machine.why.${code}`))).toEqual([])
  })

  it('has words for each of its warnings', () => {
    expect(['failed', 'holding', 'problem'].filter((code) => !Object.hasOwn(english, `health.title.machine-${code}`))).toEqual([])
  })
})
