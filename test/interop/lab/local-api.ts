/**
 * A client of the LocalAPI on a Unix socket, for tailscaled and for our engine alike: it is written from the protocol, not
 * with the project's own client, so that both ends of a test are not the same mistake.
 */
import { request, type IncomingMessage } from 'node:http'

/** The parts of a status that the tests look at. */
export interface PeerStatus {
  ID: string
  PublicKey: string
  HostName: string
  DNSName: string
  OS: string
  TailscaleIPs: string[] | null
  Addrs: string[] | null
  CurAddr: string
  PeerRelay: string
  PeerAPIURL: string[] | null
  Relay: string
  Online: boolean
  Active: boolean
  InMagicSock: boolean
  InEngine: boolean
  LastHandshake: string
  RxBytes: number
  TxBytes: number
  InNetworkMap: boolean
  PrimaryRoutes?: string[]
  Tags?: string[]
  Expired?: boolean
  KeyExpiry?: string
  ExitNode: boolean
  ExitNodeOption: boolean
}

export interface Status {
  Version: string
  BackendState: string
  AuthURL: string
  TailscaleIPs: string[] | null
  Self: PeerStatus
  Health: string[] | null
  MagicDNSSuffix: string
  Peer: Record<string, PeerStatus> | null
}

export interface PingResult {
  IP: string
  NodeIP: string
  NodeName: string
  Err: string
  LatencySeconds: number
  Endpoint: string
  PeerRelay: string
  DERPRegionID: number
  DERPRegionCode: string
  PeerAPIPort?: number
  PeerAPIURL?: string
}

export interface Notify {
  State?: number | null
  ErrMessage?: string | null
  BrowseToURL?: string | null
  Prefs?: Record<string, unknown> | null
  NetMap?: unknown
  SelfChange?: unknown
  PeersChanged?: unknown[]
  PeersRemoved?: number[]
  PeerChangedPatch?: unknown[]
  Health?: unknown
  [name: string]: unknown
}

export interface Reply {
  status: number
  text: string
  headers: IncomingMessage['headers']
}

export class LocalApi {
  readonly socketPath: string

  constructor(socketPath: string) {
    this.socketPath = socketPath
  }

  /** One request; never throws for an HTTP status. */
  call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}, timeoutMs = 20_000): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
      const call = request(
        {
          socketPath: this.socketPath,
          method,
          path: `/localapi/v0/${path}`,
          headers: { Host: 'local-tailscaled.sock', 'Tailscale-Cap': '141', ...headers },
          agent: false,
          timeout: timeoutMs,
        },
        (response) => {
          let answer = ''
          response.setEncoding('utf8')
          response.on('data', (part: string) => (answer += part))
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text: answer, headers: response.headers }))
          response.on('error', reject)
        },
      )
      call.once('timeout', () => call.destroy(new Error(`${method} ${path}: no answer in ${timeoutMs} ms`)))
      call.once('error', reject)
      call.end(text)
    })
  }

  async #ok(method: string, path: string, body?: unknown, timeoutMs?: number): Promise<string> {
    const reply = await this.call(method, path, body, {}, timeoutMs)
    if (reply.status >= 300) throw new Error(`${method} ${path}: ${reply.status} ${reply.text.trim()}`)
    return reply.text
  }

  async status(): Promise<Status> {
    return JSON.parse(await this.#ok('GET', 'status')) as Status
  }

  async prefs(): Promise<Record<string, unknown>> {
    return JSON.parse(await this.#ok('GET', 'prefs')) as Record<string, unknown>
  }

  async patchPrefs(masked: Record<string, unknown>): Promise<Record<string, unknown>> {
    return JSON.parse(await this.#ok('PATCH', 'prefs', masked)) as Record<string, unknown>
  }

  async ping(ip: string, type: 'disco' | 'TSMP' | 'ICMP' | 'peerapi', size = 0): Promise<PingResult> {
    return JSON.parse(await this.#ok('POST', `ping?ip=${encodeURIComponent(ip)}&type=${type}&size=${size}`, undefined, 12_000)) as PingResult
  }

  /** Looks up who stands behind an address; `protocol` names the transport of ip:port. */
  async whois(addr: string, protocol?: 'tcp' | 'udp'): Promise<Reply> {
    return this.call('GET', `whois?addr=${encodeURIComponent(addr)}${protocol === undefined ? '' : `&proto=${protocol}`}`)
  }

  async start(options: Record<string, unknown>): Promise<void> {
    await this.#ok('POST', 'start', options)
  }

  async logout(): Promise<void> {
    await this.#ok('POST', 'logout')
  }

  /** Watches the notify bus; each message comes with the wall clock time at which it was read. Call stop() to end. */
  watch(mask: number, onNotify: (notify: Notify, atMs: number) => void): { stop(): void } {
    let held = ''
    const call = request(
      {
        socketPath: this.socketPath,
        path: `/localapi/v0/watch-ipn-bus?mask=${mask}`,
        headers: { Host: 'local-tailscaled.sock', 'Tailscale-Cap': '141' },
        agent: false,
      },
      (response) => {
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          const atMs = Date.now()
          const lines = (held + part).split('\n')
          held = lines.pop() ?? ''
          for (const line of lines) if (line !== '') onNotify(JSON.parse(line) as Notify, atMs)
        })
        response.on('error', () => undefined)
      },
    )
    call.on('error', () => undefined)
    call.end()
    return { stop: () => void call.destroy() }
  }
}
