/**
 * The requests inside Noise: `/machine/register` and `/machine/map`, for the machine that the handshake proved.
 *
 * The map has Headscale's two modes: a stream (initial message, deltas, keepalives) and a lite update (200, no body).
 * A node is online while it has a stream and for `offlineAfterMs` after the last one.
 */
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Clock } from '../../../main/engine/base/env.ts'
import type { MachinePublicKey } from '../../../main/engine/base/keys.ts'
import type { MapRequest, MapResponse, RegisterRequest } from '../../../main/engine/core/tailcfg/types.ts'
import type { Faults } from './faults.ts'
import type { DeltaStyle, MapView } from './map-delta.ts'
import { MapSession } from './map-session.ts'
import { dnsOf, filterOf, nodeView, peersOf, profilesOf, selfView } from './node-view.ts'
import type { Registration } from './registration.ts'
import type { SimNode, Tailnet } from './tailnet.ts'

export interface MachineApiOptions {
  readonly deltaStyle: DeltaStyle
  /** Changes within this time share a message; Headscale's is 800. */
  readonly batchMs: number
  readonly keepAliveMs: number
  readonly offlineAfterMs: number
  /** Every lite update, even one that changes nothing, goes to all peers and back to its sender. */
  readonly echoLiteUpdates: boolean
  /** Sends in place of every stream's first message. */
  readonly onStream?: (session: MapSession, first: MapResponse) => void
}

export interface MachineApiDeps {
  readonly clock: Clock
  readonly tailnet: Tailnet
  readonly registration: Registration
  readonly faults: Faults
  count(what: string): void
  onAnswer(url: string, answer: { method: string; overNoise: boolean; body: string }): void
}

const MAX_BODY_BYTES = 1 << 20 // Headscale's limit

/** Where nodes answer pings, over Noise and outside it. */
export const PING_ANSWER_PATH = '/machine/ping-response'

export class MachineApi {
  readonly #deps: MachineApiDeps
  readonly #options: MachineApiOptions
  readonly #sessions = new Set<MapSession>()

  constructor(deps: MachineApiDeps, options: MachineApiOptions) {
    this.#deps = deps
    this.#options = options
  }

  /** Something in the tailnet changed. */
  changed(): void {
    for (const session of this.#sessions) session.changed()
  }

  sessionsOf(node: SimNode): MapSession[] {
    return [...this.#sessions].filter((session) => session.nodeId === node.id)
  }

  stop(): void {
    for (const session of this.#sessions) session.close()
  }

  /** Answers one request of a proven machine. */
  async handle(machineKey: MachinePublicKey, request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    response.stream?.on('error', () => {})
    const path = request.url.split('?')[0]!
    const body = await readBody(request)
    if (body === undefined) return reply(response, 413, 'request too large')
    if (await this.#fails(path, response)) return
    if (path === '/machine/register') return this.#register(machineKey, body, response)
    if (path === PING_ANSWER_PATH) {
      this.#deps.onAnswer(request.url, { method: request.method, overNoise: true, body })
      return reply(response, 200, '')
    }
    if (path === '/machine/map') return this.#map(machineKey, body, response)
    reply(response, 501, 'Not implemented yet')
  }

  /** Whether a fault took the request's answer. */
  async #fails(path: string, response: Http2ServerResponse): Promise<boolean> {
    const fault = this.#deps.faults.take(path)
    switch (fault?.kind) {
      case undefined:
        return false
      case 'status':
        response.writeHead(fault.status, fault.headers)
        response.end(fault.body ?? '')
        return true
      case 'drop':
        response.stream.session?.destroy()
        return true
      case 'garbage':
        response.end(fault.bytes)
        return true
      case 'hold':
        await this.#deps.faults.held()
        return response.stream.destroyed
      case 'delay':
        await new Promise<void>((go) => this.#deps.clock.after(fault.delayMs, go))
        return response.stream.destroyed
    }
  }

  async #register(machineKey: MachinePublicKey, body: string, response: Http2ServerResponse): Promise<void> {
    const request = parse<RegisterRequest>(body)
    if (!request || typeof request.Version !== 'number') return reply(response, 400, 'unsupported client version: 0')
    this.#deps.count(request.Followup ? '/machine/register followup' : '/machine/register')
    const answer = await this.#deps.registration.answer(machineKey, request)
    if (!response.stream.destroyed) reply(response, 200, JSON.stringify(answer))
  }

  #map(machineKey: MachinePublicKey, body: string, response: Http2ServerResponse): void {
    const request = parse<MapRequest>(body)
    if (!request || typeof request.Version !== 'number') return reply(response, 400, 'unsupported client version: 0')
    const node = this.#deps.tailnet.nodeByKey(request.NodeKey)
    if (!node || node.machineKey !== machineKey) return reply(response, 404, 'node not found')
    this.#deps.count(request.Stream ? '/machine/map stream' : '/machine/map lite')
    this.#deps.tailnet.update(node, { hostinfo: request.Hostinfo, discoKey: request.DiscoKey, endpoints: request.Endpoints })
    if (request.Stream) return this.#openStream(node, request, response)
    if (this.#options.echoLiteUpdates) for (const session of this.#sessions) session.repeat(node.id)
    reply(response, 200, '')
  }

  #openStream(node: SimNode, request: MapRequest, response: Http2ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/octet-stream' })
    const session = new MapSession({
      clock: this.#deps.clock,
      nodeId: node.id,
      out: response.stream,
      zstd: request.Compress === 'zstd',
      style: this.#options.deltaStyle,
      batchMs: this.#options.batchMs,
      keepAliveMs: this.#options.keepAliveMs,
      view: () => this.#viewOf(node, request),
      onStart: this.#options.onStream,
    })
    this.#sessions.add(session)
    response.stream.on('close', () => {
      this.#sessions.delete(session)
      this.#deps.clock.after(this.#options.offlineAfterMs, () => {
        if (this.sessionsOf(node).length === 0) this.#deps.tailnet.setOnline(node, false)
      })
    })
    this.#deps.tailnet.setOnline(node, true)
    session.start()
  }

  #viewOf(node: SimNode, request: MapRequest): MapView | undefined {
    const { tailnet } = this.#deps
    if (!tailnet.nodes.has(node.id)) return undefined
    const peers = peersOf(tailnet, node)
    return {
      self: selfView(tailnet, node, request.Version),
      peers: peers.map((peer) => nodeView(tailnet, peer, request.Version)),
      filter: filterOf(tailnet, node),
      dns: dnsOf(tailnet),
      derpMap: tailnet.derpMap,
      domain: '127.0.0.1',
      profiles: profilesOf([node, ...peers]),
      sshPolicy: tailnet.sshPolicy,
    }
  }
}

function reply(response: Http2ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': status === 200 ? 'application/json' : 'text/plain' })
  response.end(body)
}

function parse<T>(body: string): T | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? (value as T) : undefined
  } catch {
    return undefined
  }
}

async function readBody(request: Http2ServerRequest): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length
      if (sizeBytes > MAX_BODY_BYTES) return undefined
      chunks.push(chunk)
    }
  } catch {
    return undefined
  }
  return Buffer.concat(chunks).toString('utf8')
}
