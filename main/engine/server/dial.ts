/**
 * LocalAPI's dial: an upgraded request becomes a raw TCP connection through the tunnel.
 *
 *   POST /localapi/v0/dial   Connection: upgrade   Upgrade: ts-dial   Dial-Host: NAME or ADDRESS   Dial-Port: N   Dial-Network: tcp
 *   → 101, then bytes both ways
 *   → 200 Dial-Self: true, Dial-Addr: ADDRESS:N   when it lies outside the network: the caller dials it by itself
 *
 * Source: dataplane facts §10.2 (dial); tailscale ipn/localapi (serveDial).
 */
import { STATUS_CODES } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { errorText } from '../base/errors.ts'
import { formatAddrPort } from '../base/ip.ts'
import type { ProxyAnswer } from '../backend/ports.ts'

export const DIAL_PATH = '/localapi/v0/dial'
const DIAL_MS = 10_000

/** Opens TCP through the tunnel. Rejects with EngineError. */
export type TunnelDial = (ip: string, port: number, timeoutMs: number) => Promise<Duplex>

export interface DialDoor {
  /** Where a host is; never rejects. */
  readonly plan: (host: string, port: number) => Promise<ProxyAnswer>
  readonly dial: TunnelDial
}

/** Answers an upgrade request whose caller was checked, and joins the two streams. Never rejects. */
export async function serveDial(request: IncomingMessage, socket: Duplex, head: Buffer, door: DialDoor): Promise<void> {
  socket.on('error', () => socket.destroy())
  const host = String(request.headers['dial-host'] ?? '')
  const portText = String(request.headers['dial-port'] ?? '')
  if (host === '' || portText === '') return refuseUpgrade(socket, 400, 'missing Dial-Host or Dial-Port header')
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0
  if (port < 1 || port > 65_535 || (request.headers['dial-network'] ?? 'tcp') !== 'tcp') return refuseUpgrade(socket, 400, 'dial takes a port of 1 to 65535 and network tcp')
  const plan = await door.plan(host, port)
  if (plan.kind === 'refuse') return refuseUpgrade(socket, 502, `resolve failure: ${plan.message}`)
  if (plan.kind === 'engine') return refuseUpgrade(socket, 502, 'dial failure: this address is the engine itself')
  const ip = plan.addresses[0]!
  if (plan.kind === 'system') return finish(socket, `HTTP/1.1 200 OK\r\nConnection: close\r\nDial-Self: true\r\nDial-Addr: ${formatAddrPort({ ip, port })}\r\nContent-Length: 0\r\n\r\n`)
  await join(socket, head, () => door.dial(ip, port, DIAL_MS))
}

async function join(socket: Duplex, head: Buffer, open: () => Promise<Duplex>): Promise<void> {
  let tunnel: Duplex
  try {
    tunnel = await open()
  } catch (error) {
    return refuseUpgrade(socket, 502, `dial failure: ${errorText(error)}`)
  }
  if (socket.destroyed) return void tunnel.destroy()
  tunnel.on('error', () => tunnel.destroy())
  tunnel.on('close', () => socket.destroy())
  socket.on('close', () => tunnel.destroy())
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ts-dial\r\n\r\n')
  if (head.length > 0) tunnel.write(head)
  socket.pipe(tunnel)
  tunnel.pipe(socket)
}

/** Ends an upgrade request with a plain answer. */
export function refuseUpgrade(socket: Duplex, status: number, message: string): void {
  const body = `${message}\n`
  finish(socket, `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

/** The last words on a socket that the HTTP server has let go of: nobody else would notice its end. */
function finish(socket: Duplex, words: string): void {
  socket.on('error', () => socket.destroy())
  socket.end(words, () => socket.destroy())
}
