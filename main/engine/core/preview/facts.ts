/**
 * What a person has on this computer now, as far as it can be seen without asking anybody: open connections, devices and printers of the
 * networks here, who answers names. Whoever reads it bounds it; names in it are those of strangers.
 */
import type { AddrPort } from '../../base/ip.ts'
import type { SystemFacts } from '../plan/system-facts.ts'

export interface OpenConnection {
  readonly local: AddrPort
  readonly remote: AddrPort
  /** Somebody else opened it, to a port that this computer serves. */
  readonly isInbound: boolean
  /** The program's name; absent where it cannot be told. */
  readonly program?: string
  /** The other end, or this one, is this engine itself. */
  readonly isOurs: boolean
}

/** A machine that this one spoke with on its own network a moment ago. */
export interface Neighbour {
  readonly ip: string
  readonly interface: string
}

export interface Printer {
  readonly name: string
  /** Address, or a name; "" = it is found by asking around on the local network. */
  readonly host: string
}

/** A network that the system reaches by an interface, attached or through a router. */
export interface SystemNet {
  readonly prefix: string
  readonly interface: string
}

/** Whom the system asks for names, and domains that it adds to names of one label: before us. */
export interface OwnNames {
  readonly servers: readonly string[]
  readonly search: readonly string[]
}

export interface PreviewFacts {
  readonly system: SystemFacts
  readonly connections: readonly OpenConnection[]
  readonly neighbours: readonly Neighbour[]
  readonly printers: readonly Printer[]
  /** Of the system's main table. */
  readonly nets: readonly SystemNet[]
  readonly names: OwnNames
}
