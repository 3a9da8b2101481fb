/**
 * Who may come in, how much each may send and hold, and that nobody keeps the others out. The clock stands still unless a
 * test moves it.
 */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { waitFor } from '../../support/wait.ts'
import { serve } from './rig.ts'
import type { ServerRig } from './rig.ts'

let api: ServerRig
const open: Socket[] = []
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy()
  await api.stop()
})

interface Line {
  readonly socket: Socket
  readonly heard: () => string
  readonly closed: () => boolean
}

/** A connection that keeps what comes back. */
function line(text = '', allowHalfOpen = true): Line {
  const socket = connect({ path: api.socketPath, allowHalfOpen })
  open.push(socket)
  let heard = ''
  let closed = false
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
  socket.on('error', () => {})
  socket.on('end', () => (closed = true))
  socket.on('close', () => (closed = true))
  if (text !== '') socket.write(text)
  return { socket, heard: () => heard, closed: () => closed }
}

const head = (target: string, ...headers: readonly string[]): string => `${target} HTTP/1.1\r\nHost: local-tailscaled.sock\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n`
const soon = (what: string, is: () => boolean): Promise<unknown> => waitFor(what, is, { withinMs: 20_000 })

/** Who calls, by the order in which they connect; the last one goes on. */
function callers(...uids: readonly number[]): { peerCredentials: () => { pid: number; uid: number; gid: number } } {
  let next = 0
  return { peerCredentials: () => ({ pid: 1, uid: uids[Math.min(next++, uids.length - 1)]!, gid: 0 }) }
}

describe('who may write', () => {
  test('is judged at each request: an operator who is no longer one may not, on the same connection', async () => {
    api = await serve({ ...callers(4242) })
    api.rig.backend.editPrefs({ OperatorUser: '4242', OperatorUserSet: true })
    const request = head('POST /localapi/v0/check-prefs', 'Content-Length: 2').replace(/$/, '{}')
    const { socket, heard } = line(request)
    await soon('the first answer', () => heard().includes('HTTP/1.1 200'))
    api.rig.backend.editPrefs({ OperatorUser: '', OperatorUserSet: true })
    socket.write(request)
    await soon('the second answer', () => heard().includes('HTTP/1.1 403'))
    expect(heard()).toContain('checkprefs access denied')
  })

  test('a target with a foreign host is refused like a foreign Host', async () => {
    api = await serve()
    const { heard } = line('GET http://evil.example/localapi/v0/status HTTP/1.1\r\nHost: local-tailscaled.sock\r\n\r\n')
    await soon('an answer', () => heard().includes('\r\n\r\n'))
    expect(heard()).toMatch(/^HTTP\/1\.1 403 /)
  })

  test('the reason that a client gives is in the journal', async () => {
    api = await serve()
    await api.call('PATCH', 'prefs', { body: {}, headers: { 'x-tailscale-reason': Buffer.from('maintenance').toString('base64') } })
    expect(api.rig.journal).toContainEqual(expect.objectContaining({ part: 'server', kind: 'reason', why: 'maintenance' }))
  })
})

describe('a body', () => {
  test.each([
    ['of 100 MB that is announced', head('PATCH /localapi/v0/prefs', 'Content-Length: 104857600')],
    ['in pieces without end', `${head('PATCH /localapi/v0/prefs', 'Transfer-Encoding: chunked')}${`100000\r\n${'x'.repeat(0x100000)}\r\n`.repeat(6)}`],
    ['that is too long for one who may only read', head('GET /localapi/v0/status', 'Content-Length: 100000'), 4242],
  ])('%s is refused with 413 before it has come, and the connection ends', async (_name, text, uid = 0) => {
    api = await serve(callers(uid, 0))
    const { heard, closed } = line(text)
    await soon('the end', closed)
    expect(heard()).toMatch(/^HTTP\/1\.1 413 /)
    expect(heard()).toContain('too large')
    expect((await api.call('GET', 'status')).status).toBe(200)
  })

  test('that comes too slowly is refused with 408', async () => {
    api = await serve()
    const { heard, closed } = line(`${head('PATCH /localapi/v0/prefs', 'Content-Length: 100')}{"Shields`)
    // Another request is answered later than the first one began.
    await api.call('GET', 'status')
    await soon('the end', () => {
      api.rig.clock.advance(10_000)
      return closed()
    })
    expect(heard()).toMatch(/^HTTP\/1\.1 408 /)
  })

  test('of many callers at once is refused when all of them together are too much', async () => {
    api = await serve()
    const piece = 'x'.repeat(3_900_000)
    const lines = Array.from({ length: 12 }, () => line(`${head('PATCH /localapi/v0/prefs', 'Content-Length: 4000000')}${piece}`))
    await soon('a refusal', () => lines.some(({ heard }) => heard().startsWith('HTTP/1.1 503')))
    expect((await api.call('GET', 'status')).status).toBe(200)
  })

  test('that breaks off harms nobody', async () => {
    api = await serve()
    const { socket } = line(`${head('PATCH /localapi/v0/prefs', 'Content-Length: 100')}{"a`)
    await api.call('GET', 'status')
    socket.destroy()
    expect((await api.call('GET', 'status')).status).toBe(200)
    await soon('the connection to be forgotten', () => api.server.connections === 0)
  })
})

describe('a connection', () => {
  test('with a flood of headers is refused with 431', async () => {
    api = await serve()
    const { heard, closed } = line(`GET / HTTP/1.1\r\nHost:\r\n${'X-A: b\r\n'.repeat(10_000)}`)
    await soon('the end', closed)
    expect(heard()).toMatch(/^HTTP\/1\.1 431 /)
  })

  test('that says nothing, or begins a request and stops, is let go', async () => {
    api = await serve()
    const lines = [line(), line('GET /localapi/v0/status HTTP/1.1\r\nHost: local-')]
    await soon('the ends', () => lines.every(({ closed }) => closed()))
  }, 30_000)

  test('carries several requests, answered in order', async () => {
    api = await serve()
    const { heard } = line(['a', 'b', 'c'].map((name) => head(`GET /localapi/v0/policy/${name}`)).join(''))
    await soon('three answers', () => heard().split('HTTP/1.1 400').length === 4)
    expect([...heard().matchAll(/^"(\w)" is not/gm)].map((match) => match[1])).toEqual(['a', 'b', 'c'])
  })

  test('whose other side has ended it still gets its answer', async () => {
    api = await serve()
    const { socket, heard, closed } = line()
    socket.end(head('GET /localapi/v0/check-ip-forwarding'))
    await soon('the end', closed)
    expect(heard()).toContain('{"Warning":""}')
  })

  test('that asks for an upgrade it does not get is forgotten', async () => {
    api = await serve()
    for (const name of ['websocket', 'ts-dial', 'h2c']) line(head('GET /localapi/v0/status', `Upgrade: ${name}`, 'Connection: upgrade'))
    await soon('three answers', () => api.server.connections === 0)
  })

  test('of one who may only read never keeps out those who may write', async () => {
    api = await serve(callers(...Array.from({ length: 300 }, () => 4242), 0))
    const readers = Array.from({ length: 300 }, () => line(head('GET /localapi/v0/watch-ipn-bus?mask=2')))
    await soon('the last of them to be sent away', () => readers.filter(({ closed }) => closed()).length === 44)
    expect((await api.call('POST', 'check-prefs', { body: {} })).status).toBe(200)
  })
})

test('a watcher who may only read learns no names of files', async () => {
  api = await serve(callers(4242, 0))
  const [reader, writer] = [line(head('GET /localapi/v0/watch-ipn-bus?mask=2')), line()]
  await soon('the reader', () => reader.heard().includes('"State"'))
  writer.socket.write(head('GET /localapi/v0/watch-ipn-bus?mask=2'))
  await soon('the writer', () => writer.heard().includes('"State"'))
  const file = { Name: 'secret.txt', Started: '', DeclaredSize: 1, Received: 1 }
  api.rig.backend.sendNotify({ IncomingFiles: [file] })
  api.rig.backend.sendNotify({ OutgoingFiles: [{ ...file, ID: 'x', PeerID: 'n2', Sent: 1, Finished: true, Succeeded: true }] as never })
  api.rig.backend.editPrefs({ ShieldsUp: true, ShieldsUpSet: true })
  await soon('what comes after them', () => [reader, writer].every(({ heard }) => heard().includes('"ShieldsUp":true')))
  expect(writer.heard().match(/secret\.txt/g)).toHaveLength(2)
  expect(reader.heard()).not.toContain('secret.txt')
})

test('a watcher that does not read is told so, let go, and cut off', async () => {
  api = await serve()
  api.join()
  const { socket } = line(head('GET /localapi/v0/watch-ipn-bus?mask=4'))
  await soon('the watcher', () => api.server.connections === 1)
  socket.pause()
  await api.call('GET', 'status')
  await soon('the end', () => {
    for (let i = 0; i < 200; i++) api.rig.backend.editPrefs({ ShieldsUp: !api.rig.backend.views.prefs().ShieldsUp, ShieldsUpSet: true })
    api.rig.clock.advance(5_000)
    return api.server.connections === 0
  })
})
