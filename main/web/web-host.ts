/**
 * The window served over loopback HTTP (`bowline web`): static files, requests by POST, events as one stream.
 *
 * Any page in the same browser can send requests here, so: the address carries a token that works once and becomes an
 * HttpOnly, SameSite=Strict cookie; Host must be our own name (DNS rebinding); Origin, where sent, must be ours; a request
 * body must be JSON, which no plain form can send; the page itself allows nothing from outside (CSP).
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize, sep } from 'node:path'
import { ownServicePlace } from '../client/service-place.ts'
import { LocalApiClient } from '../client/local-api-client.ts'
import { EngineFeed } from './engine-feed.ts'
import { HostState } from './host-state.ts'
import { answerRequest, notSupported, READ_ONLY, READS, type HostActions } from './requests.ts'
import { servicePage } from './service-requests.ts'
import { SpoolUpload } from './spool-upload.ts'

const COOKIE = 'bowline-window'
const BODY_LIMIT_BYTES = 64 * 1024
const BODY_STALL_MS = 30_000
const TOKEN_LIFE_MS = 10 * 60_000
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml', '.png': 'image/png',
}

/** What the page may load and do: its own files and nothing else. */
export const CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export interface WebHostOptions {
  readonly socketPath: string
  /** Folder with the built window. */
  readonly rendererDir: string
  /** 0 = any free one. */
  readonly port: number
  /** The window may look and ping; what would change something is refused. */
  readonly readOnly?: boolean
  /** Where the window's settings are kept; undefined = nowhere. */
  readonly settingsPath?: string
}

const IN_BROWSER = { Code: 'in-browser', Text: 'A page in a browser cannot ask for admin rights. The command does the same in a terminal.' }

export class WebHost {
  readonly #options: WebHostOptions
  readonly #client: LocalApiClient
  readonly #feed: EngineFeed
  readonly #state: HostState
  readonly #spool: SpoolUpload
  readonly #streams = new Set<ServerResponse>()
  readonly #session = randomBytes(32)
  /** Where the cookie goes: browsers send it to every port of this computer, devices' pages that are opened here among them, and those do not know this folder. */
  readonly #folder = `/${randomBytes(16).toString('hex')}/`
  readonly #tokens = new Map<string, number>()
  #server: Server | undefined
  #origin = ''

  constructor(options: WebHostOptions) {
    this.#options = options
    this.#client = new LocalApiClient(options.socketPath)
    this.#spool = new SpoolUpload(this.#client)
    this.#state = new HostState({ host: 'web', languages: [], tray: 'none' }, options.settingsPath, (state) => this.#tell('app', state))
    this.#feed = new EngineFeed(this.#client, {
      onNotify: (notify) => this.#tell('notify', notify),
      onEngine: (life) => this.#state.setEngine(life),
      onVersion: (version) => this.#state.setEngineVersion(version),
    })
  }

  /** Listens on 127.0.0.1 and resolves with the port. */
  async start(): Promise<number> {
    const server = createServer((req, res) => {
      this.#handle(req, res).catch(() => this.#refuse(res, 500, 'failed'))
    })
    // A large file takes as long as it takes; a body that stands still ends by its own timer.
    server.requestTimeout = 0
    server.headersTimeout = 10_000
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#options.port, '127.0.0.1', resolve)
    })
    this.#server = server
    const { port } = server.address() as AddressInfo
    this.#origin = `http://127.0.0.1:${port}`
    this.#feed.start()
    return port
  }

  stop(): void {
    this.#feed.stop()
    for (const stream of this.#streams) stream.end()
    this.#server?.close()
    this.#server?.closeAllConnections()
  }

  /** An address that opens the window once, within ten minutes. */
  address(): string {
    const token = randomBytes(24).toString('base64url')
    this.#tokens.set(token, Date.now() + TOKEN_LIFE_MS)
    return `${this.#origin}/?token=${token}`
  }

  async #handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    res.setHeader('content-security-policy', CONTENT_POLICY)
    res.setHeader('x-content-type-options', 'nosniff')
    res.setHeader('referrer-policy', 'no-referrer')
    res.setHeader('cross-origin-opener-policy', 'same-origin')
    res.setHeader('cross-origin-resource-policy', 'same-origin')
    res.setHeader('cache-control', 'no-store')
    if (req.headers.host !== this.#origin.slice('http://'.length)) return this.#refuse(res, 403, 'wrong-host')
    const url = new URL(req.url ?? '/', this.#origin)
    const site = req.headers['sec-fetch-site']
    if (req.headers.origin !== undefined && req.headers.origin !== this.#origin) return this.#refuse(res, 403, 'wrong-origin')
    if (url.searchParams.has('token') && url.pathname === '/') return this.#admit(res, url.searchParams.get('token')!)
    if (!this.#known(req)) return this.#refuse(res, 403, 'no-session')
    const pathname = url.pathname.startsWith(this.#folder) ? url.pathname.slice(this.#folder.length - 1) : url.pathname
    if (pathname.startsWith('/api/') && site !== undefined && site !== 'same-origin') return this.#refuse(res, 403, 'wrong-origin')
    if (pathname === '/api/events' && req.method === 'GET') return this.#stream(res)
    if (pathname.startsWith('/api/call/') && req.method === 'POST') return this.#call(req, res, pathname.slice('/api/call/'.length))
    if (pathname === '/api/spool' && req.method === 'PUT') return this.#upload(req, res)
    if (req.method === 'GET') return this.#file(res, pathname)
    this.#refuse(res, 405, 'wrong-method')
  }

  #admit(res: ServerResponse, token: string): void {
    const until = this.#tokens.get(token)
    this.#tokens.delete(token)
    if (until === undefined || until < Date.now()) return this.#refuse(res, 403, 'used-token')
    res.writeHead(303, { location: this.#folder, 'set-cookie': `${COOKIE}=${this.#session.toString('base64url')}; HttpOnly; SameSite=Strict; Path=${this.#folder}` })
    res.end()
  }

  #known(req: IncomingMessage): boolean {
    const match = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]{43})(?:;|$)`).exec(req.headers.cookie ?? '')
    if (!match) return false
    // As text: several texts stand for the same bytes.
    return timingSafeEqual(Buffer.from(match[1]!), Buffer.from(this.#session.toString('base64url')))
  }

  #stream(res: ServerResponse): void {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.write(': open\n\n')
    res.write(`event: app\ndata: ${JSON.stringify(this.#state.value)}\n\n`)
    if (this.#feed.first) res.write(`event: notify\ndata: ${JSON.stringify(this.#feed.first)}\n\n`)
    this.#streams.add(res)
    res.on('close', () => this.#streams.delete(res))
  }

  #tell(event: string, value: unknown): void {
    const text = `event: ${event}\ndata: ${JSON.stringify(value)}\n\n`
    for (const stream of this.#streams) {
      // A window that reads nothing must not make the host keep everything.
      if (stream.writableLength > 8 * 1024 * 1024) stream.destroy()
      else stream.write(text)
    }
  }

  /** No plain form can send this type, and a page of another origin would have to ask first. */
  #upload(req: IncomingMessage, res: ServerResponse): Promise<void> | void {
    if (req.headers['content-type'] !== 'application/octet-stream') return this.#refuse(res, 415, 'not-a-file')
    return this.#spool.take(req, res, this.#options.readOnly === true ? READ_ONLY : undefined)
  }

  async #call(req: IncomingMessage, res: ServerResponse, name: string): Promise<void> {
    req.setTimeout(BODY_STALL_MS, () => req.destroy())
    if (!/^application\/json\b/.test(req.headers['content-type'] ?? '')) return this.#refuse(res, 415, 'not-json')
    const parts: Buffer[] = []
    let size = 0
    for await (const part of req as AsyncIterable<Buffer>) {
      size += part.length
      if (size > BODY_LIMIT_BYTES) return this.#refuse(res, 413, 'too-large')
      parts.push(part)
    }
    let send: unknown
    try {
      send = JSON.parse(Buffer.concat(parts).toString('utf8'))
    } catch {
      return this.#refuse(res, 400, 'not-json')
    }
    const answer = this.#options.readOnly === true && !READS.has(name) ? READ_ONLY : await answerRequest(this.#client, this.#actions, name, send)
    res.writeHead(200, { 'content-type': 'application/json' })
    res.end(JSON.stringify(answer))
  }

  readonly #actions: HostActions = {
    editSettings: (patch) => this.#state.edit(patch),
    wantsTrial: () => this.#state.settings.tryFirst,
    // The page opens web addresses itself, in the browser it already runs in.
    openExternal: () => notSupported('This window opens pages itself.'),
    restartEngine: () => notSupported('The engine was not started by this window.'),
    quit: () => notSupported('To leave, close this page; the engine is another program.'),
    service: {
      page: () => servicePage({ place: ownServicePlace(process.env), socket: this.#options.socketPath, command: 'sudo bowline service', cannotAsk: IN_BROWSER }),
      install: () => notSupported(IN_BROWSER.Text),
      remove: () => notSupported(IN_BROWSER.Text),
    },
  }

  async #file(res: ServerResponse, pathname: string): Promise<void> {
    const wanted = normalize(decodeURIComponent(pathname === '/' ? '/index.html' : pathname))
    const path = join(this.#options.rendererDir, wanted)
    const type = TYPES[extname(path)]
    if (type === undefined || wanted.includes('\0') || !path.startsWith(this.#options.rendererDir + sep)) return this.#refuse(res, 404, 'not-found')
    try {
      const bytes = await readFile(path)
      res.writeHead(200, { 'content-type': type })
      res.end(bytes)
    } catch {
      this.#refuse(res, 404, 'not-found')
    }
  }

  #refuse(res: ServerResponse, status: number, code: string): void {
    if (res.headersSent) return void res.destroy()
    const words: Readonly<Record<string, string>> = {
      'no-session': 'This address works with the link that `bowline web` printed. Run it again for a new link.',
      'used-token': 'This link was used already. Run `bowline web` again for a new one.',
    }
    res.writeHead(status, { 'content-type': 'application/json' })
    res.end(JSON.stringify({ ok: false, code, message: words[code] ?? 'Refused.' }))
  }
}
