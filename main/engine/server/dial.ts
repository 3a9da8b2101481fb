/**
 * LocalAPI's dial: an upgraded request becomes a raw TCP connection through the tunnel.
 *
 *   POST /localapi/v0/dial   Connection: upgrade   Upgrade: ts-dial   Dial-Host: ADDRESS   Dial-Port: N   Dial-Network: tcp
 *   → 101, then bytes both ways
 *
 * Source: dataplane facts §10.2 (dial). Names are not taken: callers know addresses from status.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { EngineError, errorText } from '../base/errors.ts'
import { canonicalIp } from '../base/ip.ts'

export const DIAL_PATH = '/localapi/v0/dial'
const DIAL_MS = 10_000

/** Opens TCP through the tunnel. Rejects with EngineError. */
export type TunnelDial = (ip: string, port: number, timeoutMs: number) => Promise<Duplex>

/** Answers an upgrade request whose caller was checked, and joins the two streams. */
export async function serveDial(request: IncomingMessage, socket: Duplex, head: Buffer, dial: TunnelDial): Promise<void> {
  socket.on('error', () => socket.destroy())
  const ip = canonicalIp(String(request.headers['dial-host'] ?? ''))
  const port = Number(request.headers['dial-port'])
  const network = request.headers['dial-network'] ?? 'tcp'
  if (ip === undefined || !Number.isInteger(port) || port < 1 || port > 65_535 || network !== 'tcp') return refuseUpgrade(socket, 400, 'dial takes an address, a port and network tcp')
  let tunnel: Duplex
  try {
    tunnel = await dial(ip, port, DIAL_MS)
  } catch (error) {
    return refuseUpgrade(socket, error instanceof EngineError && error.code === 'timeout' ? 504 : 502, errorText(error))
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
  socket.end(`HTTP/1.1 ${status} ${status === 403 ? 'Forbidden' : 'Error'}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}
