/**
 * What the add-on gives besides the data plane, each against the real system.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadNative } from '../../../main/engine/io/native.ts'

const native = loadNative()
const linux = process.platform === 'linux'

/** Node does not tell descriptors; the handle does. */
function descriptorOf(socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd
}

describe.runIf(process.platform !== 'win32')('peer credentials', () => {
  let folder: string
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'bowline-'))))
  afterAll(() => rmSync(folder, { recursive: true }))

  test('name the process at the other end of a Unix socket', async () => {
    const path = join(folder, 's')
    const server = createServer()
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const client = connect(path)
    const socket = await accepted
    const found = native.peerCredentials(descriptorOf(socket))
    expect(found).toMatchObject({ uid: process.getuid!(), gid: process.getgid!() })
    if (linux) expect(found!.pid).toBe(process.pid)
    client.destroy()
    socket.destroy()
    server.close()
  })

  test('are not made up for other descriptors', () => {
    expect(native.peerCredentials(-1)).toBeUndefined()
    expect(native.peerCredentials(123_456)).toBeUndefined()
  })
})

describe.runIf(linux)('attributes of files', () => {
  test('are set by descriptor, and refused for what is no file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'bowline-'))
    const fd = openSync(join(folder, 'f'), 'w')
    const set = native.setFileAttribute!
    try {
      // A temporary folder may lie on a file system that has none.
      try {
        set(fd, 'user.xdg.origin.url', Buffer.from('http://a/'))
      } catch (error) {
        expect(error).toMatchObject({ code: 'not-supported' })
      }
      expect(() => set(-1, 'user.xdg.origin.url', Buffer.from('x'))).toThrow(expect.objectContaining({ code: 'io' }) as Error)
      expect(() => set(fd, 'nonsense', Buffer.from('x'))).toThrow()
    } finally {
      closeSync(fd)
      rmSync(folder, { recursive: true })
    }
  })
})

describe('link events', () => {
  test.runIf(!linux)('are honestly absent where the system has none', () => {
    expect(native.watchLinks).toBeUndefined()
  })

  test.runIf(linux)('come when an address appears, and stop when told', async () => {
    // Adding an address to loopback needs rights: without them only starting and stopping is shown.
    let told: () => void = () => {}
    const changed = new Promise<void>((resolve) => (told = resolve))
    const stop = native.watchLinks!(() => told())
    const { status } = spawnSync('ip', ['addr', 'add', '127.77.77.77/32', 'dev', 'lo'], { stdio: 'ignore' })
    if (status === 0) {
      await changed
      spawnSync('ip', ['addr', 'del', '127.77.77.77/32', 'dev', 'lo'], { stdio: 'ignore' })
    }
    stop()
    stop()
  })
})

describe('bad arguments', () => {
  const plane = native.startPlane({ port: 0, loopbackOnly: true, dontFragment: true, mtu: 1280, seed: 1 }, () => {})
  afterAll(() => plane.stop())

  test.each([
    ['a short key', () => plane.setPrivateKey(new Uint8Array(31))],
    ['tables that are cut off', () => plane.setTables(new Uint8Array([1, 0]))],
    ['no address', () => plane.sendUdp('::ffff:1.2.3.4.5', 1, new Uint8Array(1))],
    ['no port', () => plane.sendUdp('127.0.0.1', 65_536, new Uint8Array(1))],
    ['a datagram beyond any', () => plane.sendUdp('127.0.0.1', 1, new Uint8Array(65_508))],
    ['a path of no kind', () => plane.setPath(new Uint8Array(32), 9, '', 0, 0, 0)],
    ['a buffer smaller than a record', () => void plane.drain(new Uint8Array(100))],
    ['no number', () => void plane.rebind('x' as unknown as number[])],
  ])('%s is an error with a code, and nothing else happens', (_name, call) => {
    expect(call).toThrow(expect.objectContaining({ name: 'EngineError', code: 'bad-argument' }))
  })
})

describe('ICMP echoes', () => {
  test('are answered on loopback where this user may ask, and refused with a code where not', async () => {
    const payload = new TextEncoder().encode('relay')
    const outcome = await native.askEcho([{ ip: '127.0.0.1', payload }, { ip: '127.0.0.2', payload }], 30_000).catch((error: unknown) => error)
    if (Array.isArray(outcome)) expect(outcome.every((ms) => typeof ms === 'number' && ms >= 0)).toBe(true)
    else expect(['access-denied', 'not-supported']).toContain((outcome as { code: string }).code)
  })

  test.each<[string, string, Uint8Array]>([['IPv6', '::1', new Uint8Array(1)], ['no address', 'relay.example', new Uint8Array(1)], ['a long payload', '127.0.0.1', new Uint8Array(65)]])('are not sent to %s', async (_name, ip, payload) => {
    await expect(native.askEcho([{ ip, payload }], 1000)).rejects.toMatchObject({ code: 'bad-argument' })
  })
})
