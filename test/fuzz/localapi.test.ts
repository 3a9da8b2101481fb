/**
 * Hostile requests on the local socket, well formed and not: each gets a clear answer or a closed connection, and the server
 * answers the next caller as before.
 */
import { connect } from 'node:net'
import { afterAll, beforeAll, expect } from 'vitest'
import { concat } from '../../main/engine/base/bytes.ts'
import { API_PREFIX, METHODS } from '../../main/localapi/methods.ts'
import type { Method } from '../../main/localapi/methods.ts'
import { waitFor } from '../support/wait.ts'
import { exchange, serve } from '../unit/server/rig.ts'
import type { ServerRig } from '../unit/server/rig.ts'
import { HOSTILE_TEXTS } from './chance.ts'
import type { Chance } from './chance.ts'
import { fuzz } from './fuzz.ts'

let api: ServerRig
beforeAll(async () => {
  api = await serve()
  api.join()
})
afterAll(async () => {
  await waitFor('every connection to be let go', () => api.server.connections === 0, { withinMs: 20_000 })
  await api.stop()
})

const ROWS: readonly Method<unknown, unknown>[] = Object.values(METHODS)
const PARAMETERS = ['addr', 'ip', 'type', 'size', 'id', 'name', 'mask', 'peers', 'action', 'enabled', 'expiry', 'n', 'after', 'dst_ip', 'svc_name', 'proto', 'note', 'record', 'component']
const BODIES: readonly unknown[] = [
  { ShieldsUp: true, ShieldsUpSet: true, Hostname: 'x', HostnameSet: true, AdvertiseRoutes: ['10.0.0.0/8'], AdvertiseRoutesSet: true, AutoUpdate: { Check: true, Apply: null }, AutoUpdateSet: { CheckSet: true } },
  { UpdatePrefs: { ControlURL: 'http://127.0.0.1:1', WantRunning: true, Hostname: 'x' }, AuthKey: 'k' },
  [{ Name: 'm', Type: 'counter', Value: 1 }],
  { IsVisible: true, SessionID: 'x' },
]

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function query(chance: Chance): string {
  const one = (): string => `${chance.pick(PARAMETERS)}=${chance.is(0.5) ? encodeURIComponent(wellFormed(chance.text())) : chance.pick(HOSTILE_TEXTS).replace(/[^\x21-\x7e]/g, '%')}`
  return chance.is(0.4) ? '' : `?${Array.from({ length: chance.int(1, 4) }, one).join('&')}`
}

function wellFormed(text: string): string {
  return text.slice(0, 2_000).replace(/[\ud800-\udfff]/g, '?')
}

function path(chance: Chance): string {
  const row = chance.pick(ROWS).path
  switch (chance.int(0, 5)) {
    case 0:
      return `${API_PREFIX}${row}${encodeURIComponent(wellFormed(chance.text()))}`
    case 1:
      return `/${chance.pick(['', '/', '../', 'localapi/', 'localapi/v1/', '%2e%2e/', 'localapi/v0//'])}${row}`
    case 2:
      return chance.pick(['*', 'http://local-tailscaled.sock/localapi/v0/status', 'http://evil.example/localapi/v0/status', 'http://', '/', '//', `/${'a'.repeat(9_000)}`])
    default:
      return `${API_PREFIX}${row}`
  }
}

/** A request with at most a few things wrong. */
function request(chance: Chance): Uint8Array {
  const body = chance.is(0.5) ? new Uint8Array(0) : bytesOf(chance.is(0.2) ? chance.text() : JSON.stringify(chance.damageJson(chance.pick(BODIES))))
  const method = chance.pick(['GET', 'GET', 'POST', 'POST', 'PATCH', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT', 'BREW'])
  const host = chance.is(0.9) ? 'local-tailscaled.sock' : chance.pick(['', 'evil.example', 'local-tailscaled.sock:80', '127.0.0.1', 'LOCAL-TAILSCALED.SOCK'])
  const headers = [`Host: ${host}`]
  if (body.length > 0 || chance.is(0.1)) headers.push(chance.is(0.9) ? `Content-Length: ${body.length}` : chance.pick(['Content-Length: -1', 'Content-Length: 99999999999', 'Transfer-Encoding: chunked', 'Content-Length: 3\r\nContent-Length: 4']))
  if (chance.is(0.2)) headers.push(chance.pick(['Origin: null', 'Referer: http://x/', 'Expect: 100-continue', 'Upgrade: ts-dial\r\nConnection: upgrade\r\nDial-Host: n2\r\nDial-Port: 1', 'Upgrade: websocket\r\nConnection: upgrade', 'Content-Type: application/x-www-form-urlencoded', 'X-Tailscale-Reason: ////', 'Debug-Action: notify', `X-Long: ${'x'.repeat(chance.int(1, 20_000))}`]))
  return concat(bytesOf(`${method} ${path(chance)}${query(chance)} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`), body)
}

/** Sends bytes in pieces and ends; what came back until the server had answered another caller. */
async function send(pieces: readonly Uint8Array[]): Promise<string> {
  const socket = connect(api.socketPath)
  let heard = ''
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => (heard = (heard + text).slice(0, 100_000)))
  socket.on('error', () => {})
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  for (const piece of pieces) if (socket.writable) socket.write(piece)
  socket.end()
  await Promise.race([closed, stillServes().then(stillServes)])
  socket.destroy()
  await closed
  return heard
}

async function stillServes(): Promise<void> {
  expect((await exchange(api.socketPath, 'GET', '/localapi/v0/check-ip-forwarding')).text).toBe('{"Warning":""}\n')
}

/** What the parts that are played by hand remember is no memory of the server. */
function forget(): void {
  api.rig.journal.length = 0
  api.rig.control.calls.length = 0
  api.rig.control.logins.length = 0
  api.rig.magicsock.changes.length = 0
}

function expectClear(heard: string): void {
  if (heard === '') return
  expect(heard).toMatch(/^HTTP\/1\.1 [1-5]\d\d /)
  expect(heard).not.toMatch(/\n\s+at [\w.<>]+ \(|TypeError|RangeError|privkey:(?!0{64}|1{64})[0-9a-f]{64}/)
}

fuzz('a request with odd paths, queries, headers and bodies gets a clear answer', async (chance) => {
  expectClear(await send([request(chance)]))
  forget()
}, { share: 0.5, growthMb: 48 })

fuzz('several requests on one connection, cut anywhere, get clear answers', async (chance) => {
  expectClear(await send(chance.cut(concat(...Array.from({ length: chance.int(1, 5) }, () => request(chance)))).slice(0, 200)))
  forget()
}, { share: 0.2, growthMb: 48 })

fuzz('bytes that are nearly HTTP, or not at all, are refused', async (chance) => {
  const bytes = chance.is(0.7) ? chance.damage(request(chance)) : chance.bytes(chance.int(0, 5_000))
  expectClear(await send(chance.cut(bytes).slice(0, 200)))
  forget()
}, { share: 0.3, growthMb: 48 })
