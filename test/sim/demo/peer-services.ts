/**
 * What runs on the demo's peers: a web page, and a folder of files over HTTP. Each listens on 127.0.0.1, where a peer's
 * engine brings what its tailnet lets in.
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { hashSha256 } from '../../../main/engine/base/crypto.ts'
import { toHex } from '../../../main/engine/base/bytes.ts'
import { seededRandom } from '../clock.ts'

export interface Service {
  readonly port: number
  /** Requests answered so far. */
  readonly hits: () => number
  stop(): Promise<void>
}

const MEBIBYTE = 1 << 20

/** A small welcome page. */
export function startWebServer(title: string): Promise<Service> {
  const head = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title>`
  const page = `${head}<h1>${title}</h1><p>You reached this page through your own private network.</p></html>\n`
  return serve((_path, response) => {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
    response.end(page)
  })
}

/** A folder: its index at "/", and files of which the name tells the hash to those who want to check. */
export async function startFileServer(): Promise<Service & { readonly files: ReadonlyMap<string, { sizeBytes: number; sha256: string }> }> {
  const contents = new Map<string, Uint8Array>([
    ['readme.txt', new TextEncoder().encode('These files live on the demo file server.\n')],
    ['photos.bin', seededRandom(2026).bytes(MEBIBYTE)],
  ])
  const service = await serve((path, response) => {
    const bytes = contents.get(path.slice(1))
    const index = [...contents.keys()].map((name) => `${name}\n`).join('')
    if (path === '/') response.writeHead(200, { 'content-type': 'text/plain' }).end(index)
    else if (bytes) response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes.length }).end(bytes)
    else response.writeHead(404).end('no such file\n')
  })
  const files = new Map([...contents].map(([name, bytes]) => [name, { sizeBytes: bytes.length, sha256: toHex(hashSha256(bytes)) }]))
  return { ...service, files }
}

async function serve(answer: (path: string, response: http.ServerResponse) => void): Promise<Service> {
  let hits = 0
  const server = http.createServer((request, response) => {
    hits += 1
    answer(new URL(request.url ?? '/', 'http://peer').pathname, response)
  })
  await new Promise<void>((done, fail) => {
    server.once('error', fail)
    server.listen(0, '127.0.0.1', () => done())
  })
  return {
    port: (server.address() as AddressInfo).port,
    hits: () => hits,
    stop: () =>
      new Promise((done) => {
        server.closeAllConnections()
        server.close(() => done())
      }),
  }
}
