/**
 * An engine's LocalAPI as far as files need it, played by hand over a real socket: pages, news on the bus, and what was asked.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { TransferAction, TransferRow, TransfersNews, TransfersPage, TransferTarget } from '../../../../main/localapi/transfers.ts'
import { DEFAULT_TAILDROP, NO_TRANSFERS } from '../../../../main/localapi/transfers.ts'
import { makeTempDir, removeTempDir } from '../../../support/temp.ts'
import { waitFor } from '../../../support/wait.ts'

export const row = (ID: string, more: Partial<TransferRow> = {}): TransferRow => ({
  ID, Batch: 'b1', Direction: 'out', Peer: 's2', PeerName: 'desk', Name: `${ID}.txt`, Kind: 'file', Files: 1, Size: 10, Done: 0, State: 'queued', Checked: false, Created: '2026-01-01T00:00:00Z', ...more,
})

const peer = (ID: string, name: string, ip: string): object => ({ ID, DNSName: `${name}.lab.`, HostName: name, TailscaleIPs: [ip], Online: true, TaildropTarget: 1, OS: 'linux' })
export const target = (more: Partial<TransferTarget> = {}): TransferTarget => ({ ID: 's2', Name: 'desk', DNSName: 'desk.lab', OS: 'linux', Owner: 'alice', Own: true, Online: true, Usable: true, Target: 1, ...more })

export interface Waiting {
  readonly Name: string
  readonly Size: number
  /** What is told to be in it, when that is a lie. */
  readonly told?: number
  readonly bytes: Buffer
}

type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => unknown

export class PlayedEngine {
  readonly dir = makeTempDir('played')
  readonly socketPath = join(this.dir, 'x.sock')
  page: TransfersPage = NO_TRANSFERS
  targets: TransferTarget[] = [target()]
  taildrop = DEFAULT_TAILDROP
  files: Waiting[] = []
  /** What clients asked for, in order. */
  readonly asked: TransferAction[] = []
  readonly spooled: { readonly id: string; readonly bytes: string }[] = []
  /** Answers instead of the usual; undefined: the usual. */
  onAction: (action: TransferAction) => { readonly status: number; readonly body: unknown } | undefined = () => undefined
  readonly #watchers = new Set<ServerResponse>()
  readonly #server = createServer((request, response) => void this.#serve(request, response))

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(this.socketPath, resolve))
    return this
  }

  async stop(): Promise<void> {
    this.closeBus()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    removeTempDir(this.dir)
  }

  tell(news: TransfersNews): void {
    for (const watcher of this.#watchers) watcher.write(`${JSON.stringify({ Version: 'x', Transfers: news })}\n`)
  }

  closeBus(): void {
    for (const watcher of this.#watchers) watcher.end()
    this.#watchers.clear()
  }

  async untilAsked(what: TransferAction['Do']): Promise<void> {
    await waitFor(`${what} to be asked`, () => this.asked.some(({ Do }) => Do === what), { withinMs: 30_000, everyMs: 2 })
  }

  readonly #answers: Readonly<Record<string, Answer>> = {
    'GET status': () => ({ BackendState: 'Running', MagicDNSSuffix: 'lab', Self: peer('s1', 'me', '100.64.0.1'), Peer: { a: peer('s2', 'desk', '100.64.0.2'), b: peer('s3', 'phone', '100.64.0.3') } }),
    'GET bowline/transfer-targets': () => ({ Targets: this.targets }),
    'GET bowline/transfers': () => this.page,
    'POST bowline/transfers': (_request, response, body) => {
      const action = JSON.parse(body.toString()) as TransferAction
      this.asked.push(action)
      const other = this.onAction(action)
      response.statusCode = other?.status ?? 200
      return other?.body ?? (action.Do === 'send' ? { Batch: 'b1', IDs: action.Items.map((_item, i) => `r${i}`) } : {})
    },
    'PUT bowline/spool': (_request, _response, body) => {
      const id = `p${this.spooled.length}`
      this.spooled.push({ id, bytes: body.toString() })
      return { Spool: id, Size: body.length }
    },
    'GET bowline/extras': () => ({ Taildrop: this.taildrop }),
    'PATCH bowline/extras': (_request, _response, body) => {
      this.taildrop = { ...this.taildrop, ...(JSON.parse(body.toString()) as { Taildrop: object }).Taildrop }
      return { Taildrop: this.taildrop }
    },
    'GET files/': () => (this.files.length === 0 ? null : this.files.map(({ Name, Size }) => ({ Name, Size }))),
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').replace('/localapi/v0/', '').replace(/\?.*$/, '')
    const parts: Buffer[] = []
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part)
    if (path === 'watch-ipn-bus') {
      this.#watchers.add(response)
      return void response.write(`${JSON.stringify({ Version: 'x', Transfers: { Whole: this.page } })}\n`)
    }
    const file = /^files\/(.+)$/.exec(path)
    if (file) return this.#file(decodeURIComponent(file[1]!), request, response)
    const answer = this.#answers[`${request.method} ${path}`]
    if (!answer) return void response.writeHead(404).end('404 page not found')
    const value = answer(request, response, Buffer.concat(parts))
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(value))
  }

  #file(name: string, request: IncomingMessage, response: ServerResponse): void {
    const found = this.files.find(({ Name }) => Name === name)
    if (!found) return void response.writeHead(500).end('no such file')
    if (request.method === 'DELETE') {
      this.files = this.files.filter((one) => one !== found)
      return void response.writeHead(204).end()
    }
    response.writeHead(200, { 'content-length': found.told ?? found.bytes.length })
    response.end(found.bytes)
  }
}
