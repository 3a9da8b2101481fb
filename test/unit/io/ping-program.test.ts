import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { pingCommand, PingProgram } from '../../../main/engine/io/ping-program.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'

const folder = makeTempDir('ping')
afterAll(() => removeTempDir(folder))

/** A program that ends with `code` at once, or never. */
function program(code: number | 'never'): string {
  const path = join(folder, `ping-${code}`)
  writeFileSync(path, code === 'never' ? '#!/bin/sh\nexec sleep 600\n' : `#!/bin/sh\nexit ${code}\n`)
  chmodSync(path, 0o700)
  return path
}

test.each([[0, 'answered'], [1, 'silent'], [2, 'unable']] as const)('a program that ends with %i says %s', async (code, end) => {
  expect(await new PingProgram({ program: program(code) }).ask('192.0.2.1')).toBe(end)
})

test('without a program nobody can be asked', async () => {
  expect(await new PingProgram({ program: join(folder, 'none') }).ask('192.0.2.1')).toBe('unable')
})

test('no more than twenty run at once, and a program that hangs is ended', async () => {
  const pings = new PingProgram({ program: program('never') })
  const asked = Array.from({ length: 23 }, () => pings.ask('192.0.2.1'))
  const ends = await Promise.all(asked)
  expect(ends.filter((end) => end === 'too-many')).toHaveLength(3)
  expect(ends.filter((end) => end === 'silent')).toHaveLength(20)
  expect(await new PingProgram({ program: program(0) }).ask('192.0.2.1')).toBe('answered')
}, 60_000)

describe('the command', () => {
  test('asks once, looks no name up and waits for a bounded time on every system', () => {
    expect(pingCommand('linux', '192.0.2.1')).toEqual(['ping', '-n', '-c', '1', '-W', '3', '192.0.2.1'])
    expect(pingCommand('darwin', '2001:db8::1')[0]).toBe('ping6')
    expect(pingCommand('win32', '192.0.2.1')).toEqual(['ping', '-n', '1', '-w', '3000', '192.0.2.1'])
  })
})
