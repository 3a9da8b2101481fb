/**
 * What port mapping needs of the network, in its own words, and whom it tells.
 */
import type { AddrPort } from '../base/ip.ts'
import type { FoundServices, RouterLink, UpnpPlace } from '../core/portmap/types.ts'

export interface RouterSocket {
  /** Bytes are borrowed until return; what cannot be sent is lost. */
  send(bytes: Uint8Array): void
  close(): void
}

export interface SearchSocket {
  send(to: AddrPort, bytes: Uint8Array): void
  close(): void
}

export interface RouterRequest {
  readonly method: 'GET' | 'POST'
  /** Where at the gateway. */
  readonly place: UpnpPlace
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly timeoutMs: number
  readonly maxBytes: number
}

/** The ways to the router, all from our own address towards it. */
export interface RouterAccess {
  /** A UDP socket that hears the gateway's port alone. */
  openPort(link: RouterLink, port: number, onDatagram: (bytes: Uint8Array) => void): RouterSocket
  /** A UDP socket that hears whoever answers. */
  openSearch(link: RouterLink, onDatagram: (bytes: Uint8Array) => void): SearchSocket
  /** One exchange with the gateway, no redirects; rejects when it took too long or was too much. */
  http(link: RouterLink, request: RouterRequest): Promise<{ readonly status: number; readonly body: string }>
}

export interface PortMapFacts {
  /** Our address at the router, whenever it changed; undefined = none. */
  onMapping(external: AddrPort | undefined): void
  /** What the router offers was found out. */
  onServices(found: FoundServices): void
}
