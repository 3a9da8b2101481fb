/**
 * What the control client needs from below, in its own words, and what it tells above.
 */
import type { Duplex } from 'node:stream'
import type { PeerCertificate } from 'node:tls'
import type { Env } from '../base/env.ts'
import type { DiscoPublicKey, PrivateKey } from '../base/keys.ts'
import type { NetMapDelta } from '../core/netmap/types.ts'
import type { ControlState } from '../core/session/types.ts'
import type { EndpointType, Hostinfo, UserProfile } from '../core/tailcfg/types.ts'
import type { C2nAnswer, C2nRequest } from './c2n-http.ts'

/** Connects TCP, and TLS when asked. Rejects with EngineError whose cause is the system's error. */
export type Dial = (options: {
  readonly host: string
  readonly port: number
  readonly tls?: {
    readonly servername: string
    readonly rejectUnauthorized: boolean
    readonly ca?: readonly string[]
    readonly checkCert?: (certificate: PeerCertificate) => string | undefined
  }
  readonly timeoutMs: number
  readonly addresses?: readonly string[]
  readonly signal?: AbortSignal
}) => Promise<Duplex>

/** One HTTP exchange with a fully verified server. */
export type HttpFetch = (request: {
  readonly method: 'GET' | 'HEAD' | 'POST'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly signal?: AbortSignal
}) => Promise<{ readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array }>

export interface Http2Response {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: AsyncIterable<Uint8Array> & { destroy(): void }
}

/** One HTTP/2 connection with parallel requests. */
export interface Http2 {
  readonly usable: boolean
  request(request: {
    readonly method: 'GET' | 'HEAD' | 'POST'
    readonly path: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: Uint8Array
    readonly signal?: AbortSignal
  }): Promise<Http2Response>
  ping(timeoutMs: number): Promise<number>
  onClose(call: () => void): void
  close(): void
}

/** Speaks HTTP/2 with prior knowledge over a byte stream. */
export type Http2Connect = (stream: Duplex, authority: string) => Http2

/** Decompresses one zstd frame to at most `maxBytes`; throws on anything else. */
export type ZstdDecompress = (bytes: Uint8Array, maxBytes: number) => Uint8Array

export interface ControlDeps {
  readonly env: Env
  readonly dial: Dial
  readonly http: HttpFetch
  readonly http2: Http2Connect
  /** A host has proved by its key to be the server, at the other end of a dialled stream. */
  readonly noteReached?: (host: string, stream: Duplex) => void
  /** It is so late at the server. */
  readonly noteServerTime?: (serverMs: number) => void
  /** What time a server says it is, its certificate unverified. */
  readonly peekDate?: (url: string, timeoutMs: number, signal: AbortSignal) => Promise<number | undefined>
  /** Keys that servers had when their certificate was good, by origin. */
  readonly keptKeys?: { load(origin: string): Uint8Array | undefined; keep(origin: string, key: Uint8Array): void }
  /** Absent where the platform has none: maps are then asked for in plain JSON. */
  readonly zstd?: ZstdDecompress | undefined
}

export interface Endpoint {
  readonly addr: string
  readonly type: EndpointType
}

/** What control is to know of us, complete each time. */
export interface ControlWants {
  readonly hostinfo: Hostinfo
  readonly endpoints: readonly Endpoint[]
  readonly discoKey: DiscoPublicKey
}

export interface ControlLogin {
  readonly controlUrl: string
  readonly machineKey: PrivateKey
  readonly nodeKey: PrivateKey | undefined
  readonly authKey?: string
  readonly interactive: boolean
  readonly ephemeral?: boolean
}

export interface ControlFacts {
  /** `sinceMs` in it is wall time. */
  onState(state: ControlState): void
  /** The node key is good: keep it. Also told once for a saved key, at its first map. */
  onLoggedIn(login: { nodeKey: PrivateKey; user: UserProfile; expired: boolean }): void
  onNetMap(delta: NetMapDelta): void
  /** A checked link that control wants a person to open: a login link, or any other. */
  onPopBrowser(url: string): void
  /** Absent: only whether this node is alive is answered. */
  readonly asked?: Asked
}

export type PeerPingType = 'disco' | 'TSMP' | 'ICMP' | 'peerapi'

/** What control may ask through the map stream. */
export interface Asked {
  /** Pings a peer; `Err` says why there is no answer. Fields are those of control's PingResponse. */
  ping(ip: string, type: PeerPingType): Promise<{ readonly Err: string }>
  answerC2n(request: C2nRequest): C2nAnswer | Promise<C2nAnswer>
}
