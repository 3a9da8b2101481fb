/**
 * Shapes of port mapping: what is wanted of which router, what it gave, and what the machine says and wants done.
 */
import type { AddrPort } from '../../base/ip.ts'

export type PortMapService = 'pmp' | 'pcp' | 'upnp'

/** In the order in which a port is asked for. */
export const PORT_MAP_SERVICES: readonly PortMapService[] = ['pmp', 'pcp', 'upnp']

/** What people know them as. */
export const SERVICE_NAMES: Readonly<Record<PortMapService, string>> = { pmp: 'NAT-PMP', pcp: 'PCP', upnp: 'UPnP' }

/** The way to a router: nothing that was learnt about it holds when either is another. */
export interface RouterLink {
  /** Canonical IPv4. */
  readonly gateway: string
  /** Our own address towards it, canonical IPv4. */
  readonly selfIp: string
}

export interface PortMapTarget extends RouterLink {
  /** The UDP port here, 1–65535. */
  readonly port: number
  /** What may be asked at all. */
  readonly allowed: readonly PortMapService[]
}

/** Where a router says that its description lies; its host is always the gateway. */
export interface UpnpPlace {
  readonly port: number
  readonly path: string
}

/** What a port is asked from by SOAP; its host is always the gateway. */
export interface UpnpControl extends UpnpPlace {
  /** "urn:…:service:WANIPConnection:1" and the like. */
  readonly type: string
}

export interface PortMapping {
  readonly service: PortMapService
  readonly external: AddrPort
  readonly internalPort: number
  readonly gotAtMs: number
  readonly renewAtMs: number
  readonly endsAtMs: number
  /** The router started anew: it has forgotten this. */
  readonly isForgotten: boolean
  readonly control: UpnpControl | undefined
}

export type UpnpAnswer =
  | { readonly kind: 'mapped'; readonly control: UpnpControl; readonly external: AddrPort; /** 0 = without an end. */ readonly lifetimeSec: number }
  | { readonly kind: 'refused'; readonly why: string }

export type PortMapOutput =
  /** To the router's UDP port 5351. */
  | { readonly kind: 'send'; readonly link: RouterLink; readonly bytes: Uint8Array }
  /** Answered by handleSearched. */
  | { readonly kind: 'search'; readonly link: RouterLink; readonly askId: number }
  /** Answered by handleUpnp. `known` gave the port before. */
  | {
      readonly kind: 'upnp-map'
      readonly link: RouterLink
      readonly askId: number
      readonly places: readonly UpnpPlace[]
      readonly known: UpnpControl | undefined
      readonly port: number
      readonly externalPort: number
      readonly lifetimeSec: number
    }
  | { readonly kind: 'upnp-unmap'; readonly link: RouterLink; readonly control: UpnpControl; readonly externalPort: number }

export type PortMapEvent =
  | { readonly kind: 'router'; readonly why: string; readonly gateway: string | undefined }
  | { readonly kind: 'services'; readonly why: string; readonly gateway: string; readonly found: readonly PortMapService[] }
  | { readonly kind: 'refused'; readonly why: string; readonly service: PortMapService }
  | { readonly kind: 'renewed'; readonly why: string; readonly service: PortMapService; readonly external: string; readonly lifetimeSec: number }
  /** The mapped address is another; undefined = there is none. */
  | { readonly kind: 'mapping'; readonly why: string; readonly service: PortMapService | undefined; readonly external: string | undefined; readonly lifetimeSec: number }

/** Which services the router was found to have. */
export type FoundServices = Readonly<Record<PortMapService, boolean>>
