/**
 * LocalAPI's files/ over the real inbox on a real disk, as a real daemon answers.
 */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Notify } from '../../../main/localapi/types.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'
import { serve } from './rig.ts'
import type { ServerRig } from './rig.ts'

let dir: string
let staged: string
let api: ServerRig

beforeEach(async () => {
  dir = makeTempDir('files')
  staged = join(dir, 'staged')
  mkdirSync(staged)
  api = await serve({ staged })
  api.join()
})
afterEach(async () => {
  await api.stop()
  removeTempDir(dir)
})

describe('files/', () => {
  test('lists null for none, and what waits by name', async () => {
    const none = await api.call('GET', 'files/')
    expect([none.status, none.text, none.headers['content-type']]).toEqual([200, 'null\n', 'application/json'])
    for (const [name, text] of [['b ü.html', '<html>'], ['a', ''], ['x.n1.partial', 'x']] as const) writeFileSync(join(staged, name), text)
    expect((await api.call('GET', 'files/')).text).toBe('[{"Name":"a","Size":0},{"Name":"b ü.html","Size":6}]\n')
    expect((await api.call('GET', 'files')).status).toBe(404)
    for (const method of ['POST', 'DELETE', 'PUT']) expect(await api.call(method, 'files/')).toMatchObject({ status: 400, text: 'want GET to list files\n' })
    expect((await api.call('GET', 'files/?waitsec=x')).text).toBe('invalid waitsec\n')
    expect((await api.call('GET', 'files/?waitsec=-1')).status).toBe(200)
  })

  test('waits for the first file', async () => {
    const asked = api.call('GET', 'files/?waitsec=100')
    writeFileSync(join(staged, 'a'), 'x')
    // The engine looks when somebody asks, and when something came in.
    await api.call('GET', 'files/')
    expect((await asked).text).toBe('[{"Name":"a","Size":1}]\n')
  })

  test('gives content of any length as it is, and removes', async () => {
    const bytes = randomBytes(3_000_001)
    writeFileSync(join(staged, 'big %41.html'), bytes)
    writeFileSync(join(staged, 'empty'), '')
    const got = await new Promise<{ hash: string; type: string | undefined; length: string | undefined }>((resolve, reject) => {
      const hash = createHash('sha256')
      request({ socketPath: api.socketPath, path: '/localapi/v0/files/big%20%2541.html', headers: { host: 'local-tailscaled.sock' } }, (answer) => {
        answer.on('data', (piece: Buffer) => hash.update(piece)).on('end', () => resolve({ hash: hash.digest('hex'), type: answer.headers['content-type'], length: answer.headers['content-length'] })).on('error', reject)
      }).on('error', reject).end()
    })
    expect(got).toEqual({ hash: createHash('sha256').update(bytes).digest('hex'), type: 'application/octet-stream', length: '3000001' })
    expect(await api.call('GET', 'files/empty')).toMatchObject({ status: 200, text: '', headers: { 'content-length': '0' } })
    expect(await api.call('HEAD', 'files/big%20%2541.html')).toMatchObject({ status: 200, text: '', headers: { 'content-length': '3000001' } })
    for (let i = 0; i < 2; i++) expect((await api.call('DELETE', 'files/big%20%2541.html')).status).toBe(204)
    expect(existsSync(join(staged, 'big %41.html'))).toBe(false)
  })

  test.each(['..', '%2e%2e', '%2e%2e%2fx', 'a%2fb', 'a/b', 'folder/', 'a%00b', 'a%5cb', 'a%3ab', '%20a', 'a%20', 'a%0ab', '%ff', 'x'.repeat(256), 'x.n1.partial', '%ed%a0%80'])('%s is no name', async (name) => {
    writeFileSync(join(dir, 'x'), 'outside')
    writeFileSync(join(staged, 'x.n1.partial'), 'part')
    for (const method of ['GET', 'DELETE']) expect(await api.call(method, `files/${name}`)).toMatchObject({ status: 500, text: 'invalid filename\n' })
    expect(existsSync(join(dir, 'x'))).toBe(true)
    expect(existsSync(join(staged, 'x.n1.partial'))).toBe(true)
  })

  test('what is a link, a folder or not there is not found, and bad escapes are a bad request', async () => {
    writeFileSync(join(dir, 'x'), 'outside')
    symlinkSync(join(dir, 'x'), join(staged, 'link'))
    mkdirSync(join(staged, 'folder'))
    for (const name of ['link', 'folder', 'none']) {
      expect((await api.call('GET', `files/${name}`)).status).toBe(404)
      expect((await api.call('DELETE', `files/${name}`)).status).toBe(204)
    }
    expect(existsSync(join(staged, 'link'))).toBe(true)
    expect((await api.call('GET', 'files/%zz')).status).toBe(400)
  })

  test('is closed to who may only read', async () => {
    await api.stop()
    api = await serve({ staged, peerCredentials: () => ({ pid: 1, uid: 4_294_000_000, gid: 1 }) })
    writeFileSync(join(staged, 'a'), 'secret')
    for (const path of ['files/', 'files/a']) expect(await api.call('GET', path)).toMatchObject({ status: 403, text: 'file access denied\n' })
  })
})

describe('FilesWaiting on the bus', () => {
  test('stands in every message while a file waits, and is told at once when one comes', async () => {
    const heard: Notify[] = []
    api.rig.backend.watch(0, { write: (notify) => heard.push(notify) > 0, end: () => {} })
    api.rig.backend.sendNotify({ ErrMessage: 'one' })
    writeFileSync(join(staged, 'a'), 'x')
    await api.call('GET', 'files/')
    api.rig.backend.sendNotify({ ErrMessage: 'two' })
    await api.call('DELETE', 'files/a')
    api.rig.backend.sendNotify({ ErrMessage: 'three' })
    const told = heard.filter((one) => one.FilesWaiting !== undefined || one.ErrMessage !== null).map(({ ErrMessage, FilesWaiting }) => [ErrMessage, FilesWaiting])
    expect(told).toEqual([['one', undefined], [null, {}], ['two', {}], ['three', undefined]])
  })
})
