/**
 * Fetches a page through an engine's proxies: HTTP with an absolute URI, and SOCKS5 with the name left to the proxy.
 */
import http from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import type { AddrPort } from '../../../main/engine/base/ip.ts'

export interface Fetched {
  readonly status: number
  readonly body: Buffer
}

/** GET through an HTTP proxy. */
export function fetchByHttpProxy(proxy: AddrPort, url: string, timeoutMs: number): Promise<Fetched> {
  const { host } = new URL(url)
  return get({ host: proxy.ip, port: proxy.port, path: url, headers: { host, connection: 'close' }, agent: false }, timeoutMs)
}

/** GET over a SOCKS5 connection; the proxy looks the name up. */
export async function fetchBySocks(proxy: AddrPort, url: string, timeoutMs: number): Promise<Fetched> {
  const { hostname, port, pathname, host } = new URL(url)
  const socket = await socksConnect(proxy, hostname, Number(port || 80), timeoutMs)
  return get({ createConnection: () => socket, path: pathname, headers: { host, connection: 'close' } }, timeoutMs)
}

function get(options: http.RequestOptions, timeoutMs: number): Promise<Fetched> {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => request.destroy(new Error(`no page within ${timeoutMs} ms`)), timeoutMs)
    const request = http.request(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', fail)
      response.on('end', () => {
        clearTimeout(timer)
        done({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) })
      })
    })
    request.on('error', (error) => {
      clearTimeout(timer)
      fail(error)
    })
    request.end()
  })
}

/** A connection to `host:port` through a SOCKS5 proxy. Rejects with the proxy's reply code in the text. */
export async function socksConnect(proxy: AddrPort, host: string, port: number, timeoutMs: number): Promise<net.Socket> {
  const socket = net.connect(proxy.port, proxy.ip)
  const timer = setTimeout(() => socket.destroy(new Error(`SOCKS: no connection within ${timeoutMs} ms`)), timeoutMs)
  try {
    await once(socket, 'connect')
    socket.write(Buffer.from([5, 1, 0]))
    const greeting = await readExactly(socket, 2)
    if (greeting[0] !== 5 || greeting[1] !== 0) throw new Error('SOCKS: the proxy wants a password')
    const name = Buffer.from(host)
    socket.write(Buffer.concat([Buffer.from([5, 1, 0, 3, name.length]), name, Buffer.from([port >> 8, port & 255])]))
    const head = await readExactly(socket, 4)
    if (head[1] !== 0) throw new Error(`SOCKS: refused with code ${head[1]}`)
    const addressBytes = head[3] === 1 ? 4 : head[3] === 4 ? 16 : (await readExactly(socket, 1))[0]!
    await readExactly(socket, addressBytes + 2)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

async function readExactly(socket: net.Socket, size: number): Promise<Buffer> {
  for (;;) {
    const bytes = socket.read(size) as Buffer | null
    if (bytes && bytes.length === size) return bytes
    if (socket.readableEnded || socket.destroyed) throw new Error('SOCKS: the proxy hung up')
    await Promise.race([once(socket, 'readable'), once(socket, 'end'), once(socket, 'close')])
  }
}
