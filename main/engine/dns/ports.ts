/**
 * What the resolver needs of the rest, in its own words: ways for its questions, and what only those above know.
 */
import type { Duplex } from 'node:stream'
import type { Env } from '../base/env.ts'
import type { AddrPort } from '../base/ip.ts'

/** A way for messages: this computer's own network, or the tunnel. */
export interface Carrier {
  /** One datagram out; what comes back from there goes to `onAnswer` until the returned function is called. */
  datagram(to: AddrPort, bytes: Uint8Array, onAnswer: (bytes: Uint8Array) => void, onError: (error: Error) => void): () => void
  /** TCP; rejects with EngineError. */
  dial(to: AddrPort, timeoutMs: number): Promise<Duplex>
}

/** Which way an address is reached; `through`: the device that carries it there. */
export type Way = { readonly kind: 'system' } | { readonly kind: 'tunnel'; readonly through: string } | { readonly kind: 'refused'; readonly why: string }

export interface ResolverDeps {
  readonly env: Env
  readonly system: Carrier
  readonly tunnel: Carrier
  /** TLS on a stream, to a server that must prove that it is `host`; `alpn`: what is offered, what was taken. */
  readonly secure: (stream: Duplex, host: string, alpn: readonly string[]) => Promise<{ readonly stream: Duplex; readonly protocol: string | undefined }>
  /** The system's resolvers, as "ip" or "ip:port". */
  readonly systemResolvers: () => readonly string[]
  /** Domains that the system adds to a name of one label. */
  readonly systemSearch: () => readonly string[]
  /** Addresses of a name as the system resolves it, its hosts file included; rejects with EngineError when there are none. */
  readonly systemLookup: (host: string) => Promise<readonly string[]>
}

/** What is asked of those above. */
export interface ResolverFacts {
  wayTo(at: AddrPort): Way
  /** Why nothing may leave this computer, the system's resolver not asked either; undefined: it may. */
  blocked(): string | undefined
  /** Whether the device at this address of the network may have names looked up here. */
  mayAskHere(ip: string): boolean
}
