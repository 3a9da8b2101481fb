import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { findProgram, programFault, programText, runProgram, type SystemProgram } from '../../../main/engine/io/run-program.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'

const dir = makeTempDir('programs')
afterAll(() => removeTempDir(dir))

/** Puts a program of that name in the folder. */
function place(name: string, text: string): { folders: string[] } {
  writeFileSync(join(dir, name), `#!/bin/sh\n${text}\n`)
  chmodSync(join(dir, name), 0o755)
  return { folders: [dir] }
}

test('a program gets its words and its input as they are, and an environment of two variables', async () => {
  const at = place('ip', 'for word in "$@"; do echo "[$word]"; done; cat; env | sort | grep -v "^\\(PWD\\|SHLVL\\|_\\|OLDPWD\\)="')
  const end = await runProgram('ip', ['a b', '$(id)', '-x'], { ...at, input: 'first\nsecond\n' })
  expect(end).toEqual({ code: 0, err: '', out: '[a b]\n[$(id)]\n[-x]\nfirst\nsecond\nLC_ALL=C\nPATH=/usr/sbin:/sbin:/usr/bin:/bin\n' })
})

test('one that is missing, one that may not be run and one that is not of the list are not started', async () => {
  writeFileSync(join(dir, 'resolvconf'), '')
  const at = { folders: [dir] }
  await expect(runProgram('iptables-save', [], at)).rejects.toMatchObject({ code: 'not-found' })
  await expect(runProgram('resolvconf', [], at)).rejects.toMatchObject({ code: 'not-found' })
  place('sh', `touch ${join(dir, 'ran')}`)
  await expect(runProgram('sh' as SystemProgram, [], at)).rejects.toMatchObject({ code: 'not-found' })
  await expect(runProgram('../sh' as SystemProgram, [], at)).rejects.toMatchObject({ code: 'not-found' })
  expect(existsSync(join(dir, 'ran'))).toBe(false)
  expect(findProgram('iptables-save', [])).toBeUndefined()
})

test('a failure is told in the program’s own words, cut and without what steers a terminal', async () => {
  const at = place('nft', 'printf "Error: \\033[1mno such\\n table\\033[0m" >&2; exit 3')
  await expect(programText('nft', [], at)).rejects.toMatchObject({ code: 'io', message: 'nft failed (3): Error: [1mno such table [0m' })
  await expect(programText('nft', [], place('nft', 'echo "Operation not permitted" >&2; exit 1'))).rejects.toMatchObject({ code: 'access-denied' })
  expect(programFault('ip', { code: 2, out: '', err: 'x'.repeat(10_000) }).message.length).toBeLessThan(350)
  expect(programFault('ip', { code: undefined, out: '', err: '' }).message).toBe('ip failed (ended by a signal)')
})

test('one that does not end is ended, although a child of its own holds the pipes', async () => {
  const file = join(dir, 'pid')
  const at = place('systemctl', `sleep 600 & echo $! > ${file}; wait`)
  await expect(runProgram('systemctl', [], { ...at, timeoutMs: 3_000 })).rejects.toMatchObject({ code: 'timeout' })
  process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL')
})

test('one that says without end is stopped', async () => {
  await expect(runProgram('ip', [], { ...place('ip', 'exec cat /dev/zero'), timeoutMs: 60_000 })).rejects.toMatchObject({ code: 'io', message: 'ip says too much.' })
  const end = await runProgram('ip', [], place('ip', 'head -c 1000000 /dev/zero >&2; exit 1'))
  expect(end.err.length).toBe(16 << 10)
})

test('one that ends without reading its input is no fault', async () => {
  expect((await runProgram('ip', [], { ...place('ip', 'exit 0'), input: 'x'.repeat(1 << 20) })).code).toBe(0)
})
