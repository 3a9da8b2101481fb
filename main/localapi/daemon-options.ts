/**
 * What `bowline daemon` was told by its flags, names as tailscaled's. Environment variables are read by the engine's
 * entry, not here.
 */
import type { AddrPort } from '../engine/base/ip.ts'

/** In place of a device's name: programs get into the network by proxies and forwards alone. */
export const WITHOUT_TUN = 'userspace-networking'

export interface DaemonOptions {
  /** Directory of the engine's state; one engine each. */
  readonly stateDir: string
  /** State file when it is not in stateDir; "mem:" keeps nothing. */
  readonly statePath: string | undefined
  /** Unix socket path or named pipe. */
  readonly socketPath: string
  /** Whether the state is sealed with a key that the system keeps: undefined = where it can, true = or not at all. */
  readonly encryptState?: boolean
  /** UDP port for peers; 0 = any. */
  readonly port: number
  readonly socks5: AddrPort | undefined
  readonly httpProxy: AddrPort | undefined
  /** No proxy was named or refused: one listener for both languages, on this computer alone. */
  readonly defaultProxies?: boolean
  /** Settings file that is applied at start; "optional:PATH" need not be there. */
  readonly configPath: string | undefined
  /** A device policy beside the computer's own, which goes before it. */
  readonly policyPath?: string
  /** 0 info, 1 debug, 2 trace. */
  readonly verbose: number
  /** Address of a debug HTTP server. */
  readonly debug: AddrPort | undefined
  readonly noLogsNoSupport: boolean
  /** It runs as the computer's service: whom its installation lets change things, beside root and the profile's operator. */
  readonly service?: { readonly operators: readonly string[]; readonly group: string }
  /** Name of the tunnel device, or WITHOUT_TUN; absent: what was last wanted. */
  readonly tun?: string
  /** Does not connect, whatever was so when it ended. */
  readonly startDisconnected?: boolean
}
