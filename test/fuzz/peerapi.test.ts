/**
 * Hostile bytes from a device of the network to our PeerAPI, as HTTP/1.1 and as HTTP/2: nothing is served that the rules forbid,
 * every connection ends, and the next device is answered as before.
 */
import { constants } from 'node:http2'
import { afterAll, beforeAll, expect } from 'vitest'
import { concat } from '../../main/engine/base/bytes.ts'
import { waitFor } from '../support/wait.ts'
import { ask, HOST, makePeerApi, PEER_IP, type PeerApiRig } from '../unit/peerapi/rig.ts'
import { HOSTILE_TEXTS } from './chance.ts'
import { fuzz } from './fuzz.ts'
import { frame, hostileFrames } from './http2-frames.ts'

const OTHER_IP = '100.64.0.3'
let rig: PeerApiRig
let served = 0

beforeAll(async () => {
  rig = await makePeerApi([{ path: '/v0/all/', serve: () => ({ status: 200, body: String(++served) }) }])
  rig.callers.set(OTHER_IP, rig.callers.get(PEER_IP)!)
})
afterAll(async () => {
  await waitFor('every connection to be let go', () => {
    // Those that linger do so by this clock.
    rig.clock.advance(1_000)
    return rig.listener.connections === 0
  }, { withinMs: 30_000 })
  await rig.stop()
})

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))

/** Sends pieces, then the end; what came back until the server let go, its timers run out. */
async function exchange(pieces: readonly Uint8Array[]): Promise<string> {
  const socket = await rig.connect()
  let heard = ''
  socket.on('data', (bytes) => (heard = (heard + bytes.toString('latin1')).slice(0, 200_000)))
  for (const piece of pieces) {
    socket.write(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  socket.end()
  await waitFor('the connection to end', () => {
    rig.clock.advance(2_000)
    return socket.destroyed
  }, { withinMs: 30_000, everyMs: 1 })
  return heard
}

async function stillAnswers(): Promise<void> {
  const socket = await rig.connect(OTHER_IP)
  expect(await ask(socket, `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 /)
  socket.destroy()
}

const GOOD_HOSTS = [HOST, 'peer', '100.64.0.1:1', '[fd7a:115c:a1e0::1]:58436']
const BAD_HOSTS = ['evil.example', 'localhost', '127.0.0.1:80', '100.64.0.2:58436', `${HOST}.evil.example`, 'PEER', '100.64.0.1', '[::1]:1', '0144.64.0.1:1', '']

fuzz('HTTP/1.1', async (chance, index) => {
  const isGood = chance.is(0.4)
  const host = isGood ? chance.pick(GOOD_HOSTS) : chance.pick(BAD_HOSTS)
  const hostile = (): string => chance.pick(HOSTILE_TEXTS).replace(/[^\x21-\x7e]/g, '%')
  const path = chance.pick(['/', '/', '/v0/all/x', `/v0/all/${hostile()}`, `/${hostile()}`, `/?${hostile()}`, '*', '//', `http://${host}/v0/all/x`, '/v0/put/../all/x'])
  const headers = [`Host: ${host}`]
  if (chance.is(0.3)) headers.push(chance.pick(['Expect: 100-continue', 'Connection: close', 'Upgrade: h2c\r\nConnection: upgrade', 'Transfer-Encoding: chunked', 'Content-Length: 5', 'Content-Length: -1', 'X-Forwarded-Host: peer', `X: ${'y'.repeat(chance.int(1, 20_000))}`]))
  const isPage = chance.is(0.2)
  if (isPage) headers.push(chance.pick(['Origin: null', 'oRiGiN: http://x', 'Referer: x', 'Sec-Fetch-Site: cross-site', 'SEC-FETCH-SITE: same-origin']))
  const text = `${chance.pick(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'CONNECT', 'PRI', 'BREW'])} ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`
  const isWhole = chance.is(0.6)
  const bytes = isWhole ? bytesOf(text) : chance.damage(bytesOf(text))
  const before = served
  const answer = await exchange(chance.is(0.5) ? [bytes] : chance.cut(bytes))
  if (isWhole && (!isGood || isPage)) {
    expect(answer, text).not.toMatch(/^HTTP\/1\.1 200 /)
    expect(served, text).toBe(before)
  }
  if (index % 20 === 0) await stillAnswers()
}, { share: 0.2 })

const PREFACE = bytesOf('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
/** "GET http" without a path, and a literal path "/": HPACK, RFC 7541. */
const HEAD_BLOCK = new Uint8Array([0x82, 0x86, 0x84, 0x41, 4, ...Buffer.from('peer')])

fuzz('HTTP/2', async (chance, index) => {
  const parts: Uint8Array[] = [PREFACE]
  if (chance.is(0.9)) parts.push(frame(4, 0, 0, new Uint8Array(0)))
  if (chance.is(0.6)) parts.push(frame(1, chance.pick([4, 5]), 1, chance.is(0.7) ? HEAD_BLOCK : chance.damage(HEAD_BLOCK)))
  // Streams that are opened and reset at once.
  if (chance.is(0.2)) {
    for (let stream = 3; stream < 400; stream += 2) parts.push(frame(1, 5, stream, HEAD_BLOCK), frame(3, 0, stream, new Uint8Array([0, 0, 0, constants.NGHTTP2_CANCEL])))
  }
  parts.push(hostileFrames(chance))
  const whole = chance.is(0.8) ? concat(...parts) : chance.damage(concat(...parts))
  await exchange(whole.length > 5_000 || chance.is(0.7) ? [whole] : chance.cut(whole))
  if (index % 20 === 0) await stillAnswers()
}, { share: 0.2 })
