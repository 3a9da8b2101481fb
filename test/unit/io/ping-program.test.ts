import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { pingCommand, PingProgram } from '../../../main/engine/io/ping-program.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'

const folder = makeTempDir('ping')
afterAll(() => removeTempDir(folder))

let nowMs = 0
let programs = 0

/** A program that runs these lines of shell. */
function program(lines: string): string {
  const path = join(folder, `ping-${++programs}`)
  writeFileSync(path, `#!/bin/sh\n${lines}\n`)
  chmodSync(path, 0o700)
  return path
}
const running = (lines: string): PingProgram => new PingProgram({ nowMs: () => nowMs, path: process.env['PATH'], program: program(lines) })

test.each([
  ['exit 0', 'answered'], ['exit 1', 'silent'], ['echo "connect: Network is unreachable" >&2; exit 2', 'silent'], ['echo "ping: socket: Operation not permitted" >&2; exit 2', 'unable'],
] as const)('a program that does %j says %s', async (lines, end) => {
  expect(await running(lines).ask('192.0.2.1')).toBe(end)
})

test('without a program nobody can be asked', async () => {
  expect(await new PingProgram({ nowMs: () => nowMs, path: '', program: join(folder, 'none') }).ask('192.0.2.1')).toBe('unable')
})

test('what is no address in canonical text is given to no program', async () => {
  for (const text of ['-f', '', 'localhost', '127.1', '192.0.2.1 -f', '::FFFF:1.2.3.4', '$(id)']) expect(await running('exit 0').ask(text)).toBe('silent')
})

test('the program gets nothing of the environment but where programs are', async () => {
  expect(await running('[ -z "$HOME" ] && [ -n "$PATH" ]').ask('192.0.2.1')).toBe('answered')
})

test('ten a second are asked for however fast they end', async () => {
  const pings = running('exit 0')
  const burst = async (): Promise<number> => {
    const ends = []
    for (let i = 0; i < 40; i++) ends.push(await pings.ask('192.0.2.1'))
    return ends.filter((end) => end === 'answered').length
  }
  expect(await burst()).toBe(20)
  nowMs += 1000
  expect(await burst()).toBe(10)
})

test('no more than twenty run at once, and a program that hangs is ended', async () => {
  const pings = running('exec sleep 600')
  const asked = Array.from({ length: 23 }, () => pings.ask('192.0.2.1'))
  const ends = await Promise.all(asked)
  expect(ends.filter((end) => end === 'too-many')).toHaveLength(3)
  expect(ends.filter((end) => end === 'silent')).toHaveLength(20)
  nowMs += 1000
  expect(await pings.ask('192.0.2.1')).toBe('silent')
}, 60_000)

describe('the command', () => {
  test('asks once, looks no name up and waits for a bounded time on every system', () => {
    expect(pingCommand('linux', '192.0.2.1')).toEqual(['ping', '-n', '-c', '1', '-W', '3', '192.0.2.1'])
    expect(pingCommand('darwin', '2001:db8::1')[0]).toBe('ping6')
    expect(pingCommand('win32', '192.0.2.1')).toEqual(['ping', '-n', '1', '-w', '3000', '192.0.2.1'])
  })
})
