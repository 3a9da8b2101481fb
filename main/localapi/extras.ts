/**
 * Settings of a profile that are Bowline's own: what the stock daemon has no pref for. Names as on the wire.
 */
import { DEFAULT_TAILDROP, type TaildropSettings } from './transfers.ts'

/** A port of this computer that leads to a port of a device, or of an address behind one. */
export interface Forward {
  /** Short, of this profile: "f1". */
  readonly ID: string
  readonly Proto: 'tcp' | 'udp'
  /** Loopback address and port that programs of this computer connect to; port 0 is never saved. */
  readonly Listen: string
  /** Name or address, and port: "db:5432", "[fd7a:…]:53", "10.0.3.7:445". Looked up at each connection. */
  readonly To: string
  /** RFC 3339. */
  readonly Created: string
}

/** What becomes of internet traffic while the chosen exit node does not answer. */
export type ExitNodeFailure = 'block' | 'next' | 'direct'

export interface Extras {
  /** Prefixes of other devices that are not used although routes are accepted: canonical texts, sorted. */
  readonly SkippedRoutes: readonly string[]
  readonly ExitNodeFailure: ExitNodeFailure
  /** Stable IDs, the preferred one first; the rest by measured path. */
  readonly ExitNodeOrder: readonly string[]
  readonly Forwards: readonly Forward[]
  readonly Taildrop: TaildropSettings
}

export const DEFAULT_EXTRAS: Extras = { SkippedRoutes: [], ExitNodeFailure: 'block', ExitNodeOrder: [], Forwards: [], Taildrop: DEFAULT_TAILDROP }
