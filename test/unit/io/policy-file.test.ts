/**
 * Files with a device policy: who may have written them, and what holds when they go wrong.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PolicyFiles } from '../../../main/engine/io/policy-file.ts'

let folder: string
let path: string
let files: PolicyFiles
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bowline-policy-'))
  path = join(folder, 'policy.json')
  files = new PolicyFiles([{ path, alsoOwner: process.getuid!() }])
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const write = (text: string, mode = 0o644): void => {
  writeFileSync(path, text)
  chmodSync(path, mode)
}

describe.skipIf(process.platform === 'win32')('a policy file', () => {
  it('is followed, and says nothing while it is not there', () => {
    expect(files.read()).toEqual({ policy: { values: {}, faults: [] }, refused: [], from: [] })
    write('{"RunExitNode": "hide"}')
    expect(files.read()).toEqual({ policy: { values: { RunExitNode: 'hide' }, faults: [] }, refused: [], from: [path] })
  })

  it.each([['the group', 0o664], ['everybody', 0o646]])('that %s can write is refused', (_who, mode) => {
    write('{"RunExitNode": "hide"}', mode)
    expect(files.read()).toMatchObject({ policy: { values: {} }, refused: [expect.stringContaining('can be written by others')] })
  })

  it('in a folder that others can write is refused', () => {
    write('{"RunExitNode": "hide"}')
    chmodSync(folder, 0o777)
    expect(files.read().refused).toEqual([expect.stringContaining('its folder can be written by others')])
  })

  it('of somebody else than root is refused', () => {
    write('{}')
    const strict = new PolicyFiles([{ path: join(folder, 'policy.json') }])
    expect(strict.read().refused).toEqual(process.getuid!() === 0 ? [] : [expect.stringContaining('belongs to user')])
  })

  it('is judged behind a link', () => {
    const open = join(folder, 'open')
    mkdirSync(open)
    chmodSync(open, 0o777)
    writeFileSync(join(open, 'real.json'), '{}')
    symlinkSync(join(open, 'real.json'), path)
    expect(files.read().refused).toEqual([expect.stringContaining('its folder can be written')])
  })

  it.each(['{', '', '\0'])('that is no JSON (%j) keeps what it said before, until it is gone', (text) => {
    write('{"RunExitNode": "hide"}')
    files.read()
    write(text)
    expect(files.read()).toMatchObject({ policy: { values: { RunExitNode: 'hide' } }, refused: [expect.stringContaining('it is not JSON')] })
    rmSync(path)
    expect(files.read().policy.values).toEqual({})
  })

  it('that is a folder, or too large, is refused', () => {
    mkdirSync(path)
    expect(files.read().refused).toEqual([expect.stringContaining('no plain file')])
    rmSync(path, { recursive: true })
    write(' '.repeat(300_000))
    expect(files.read().refused).toEqual([expect.stringContaining('too large')])
  })
})
