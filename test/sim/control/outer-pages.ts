/**
 * What a simulated control server answers outside Noise: its key, its health, relay admission, and the sign-in page.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { MachinePublicKey } from '../../../main/engine/base/keys.ts'
import type { Faults } from './faults.ts'
import { PING_ANSWER_PATH } from './machine-api.ts'
import type { Registration } from './registration.ts'
import { donePage, formPage, problem, readForm } from './sign-in-page.ts'
import type { PageReply } from './sign-in-page.ts'
import type { Tailnet } from './tailnet.ts'

/** The parts of the server that its pages show. */
export interface PagesOwner {
  readonly url: string
  readonly publicKey: MachinePublicKey
  readonly tailnet: Tailnet
  readonly registration: Registration
  readonly faults: Faults
  takeAnswer(url: string, answer: { method: string; overNoise: boolean; body: string }): void
}

const MAX_BODY_BYTES = 16 * 1024

export class OuterPages {
  readonly #owner: PagesOwner
  readonly #network: string
  readonly #count: (what: string) => void

  constructor(owner: PagesOwner, network: string, count: (what: string) => void) {
    this.#owner = owner
    this.#network = network
    this.#count = count
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://sim').pathname
    this.#count(path.startsWith('/register/') ? '/register' : path)
    const fault = this.#owner.faults.take(path)
    if (fault?.kind === 'drop') return void request.socket.destroy()
    if (fault?.kind === 'status') return send(response, { status: fault.status, headers: fault.headers ?? {}, body: fault.body ?? '' })
    if (fault?.kind === 'hold') await this.#owner.faults.held()
    if (fault?.kind === 'garbage') return void response.end(fault.bytes)
    if (path === '/key') return send(response, this.#key(request))
    if (path === '/health') return send(response, json({ status: 'pass' }))
    if (path === '/verify' && request.method === 'POST') return send(response, await this.#verify(request))
    if (path === PING_ANSWER_PATH) {
      this.#owner.takeAnswer(request.url ?? '', { method: request.method ?? '', overNoise: false, body: (await readBody(request)) ?? '' })
      return send(response, { status: 200, headers: {}, body: '' })
    }
    if (path === '/ts2021') return send(response, { status: 500, headers: {}, body: 'Internal error' })
    const id = /^\/register\/([\w-]+)$/.exec(path)?.[1]
    if (id !== undefined) return send(response, await this.#signIn(id, request))
    send(response, { status: 404, headers: {}, body: 'not found' })
  }

  #key(request: IncomingMessage): PageReply {
    const version = new URL(request.url ?? '/', 'http://sim').searchParams.get('v')
    if (version === null) return { status: 400, headers: {}, body: 'capability version must be set' }
    if (!/^\d+$/.test(version)) return { status: 400, headers: {}, body: 'invalid capability version' }
    if (Number(version) < 39) return { status: 200, headers: {}, body: '' }
    return json({ legacyPublicKey: `mkey:${'0'.repeat(64)}`, publicKey: this.#owner.publicKey })
  }

  async #verify(request: IncomingMessage): Promise<PageReply> {
    try {
      const asked = JSON.parse((await readBody(request)) ?? '') as { NodePublic?: string }
      return json({ Allow: this.#owner.tailnet.nodeByKey(asked.NodePublic ?? '') !== undefined })
    } catch {
      return { status: 400, headers: {}, body: 'bad request' }
    }
  }

  async #signIn(id: string, request: IncomingMessage): Promise<PageReply> {
    const { registration, tailnet, url } = this.#owner
    // A page under another name of this machine (DNS rebinding) gets nothing.
    const isOurs = !url.startsWith('http://127.') || request.headers.host === new URL(url).host
    if (!isOurs) return problem(403, 'This page lives at another address.')
    const signIn = registration.find(id)
    if (!signIn) return problem(404, 'This link was used or has ended. Start signing in again on your device.')
    if (request.method === 'GET') return formPage(signIn, this.#network, [...tailnet.users.values()].map((user) => user.login))
    if (request.method !== 'POST') return problem(405, 'This page takes no such request.')
    const body = await readBody(request)
    const form = readForm(signIn, { headers: request.headers, body: body ?? '' }, url)
    if ('status' in form) return form
    const node = registration.approve(id, form.login)
    return node ? donePage(node.name, form.login) : problem(404, 'This link was used or has ended.')
  }
}

function json(value: unknown): PageReply {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}

function send(response: ServerResponse, page: PageReply): void {
  response.writeHead(page.status, { ...page.headers, 'content-length': Buffer.byteLength(page.body) })
  response.end(page.body)
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_BODY_BYTES) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
