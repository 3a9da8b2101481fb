/**
 * Which proxy a connection takes, by the process's environment: HTTPS_PROXY for TLS, HTTP_PROXY for plain, ALL_PROXY for
 * what has none, NO_PROXY for exceptions; upper case before lower case.
 *
 *   proxy      [http:// | https:// | socks5:// | socks5h://] [USER[:PASSWORD]@] HOST [:PORT], user and password percent-encoded
 *   NO_PROXY   a list with commas: "*"; an address; a CIDR; a name (it and all below it); .name or *.name (only below);
 *              each with :PORT if only that port is meant
 *
 * This computer itself (localhost, loopback) is never reached by a proxy, and a proxy that is our own way into the tailnet
 * is none. As golang.org/x/net/http/httpproxy reads them, so that one environment means the same to tailscaled and to us;
 * the packages for Node know no CIDR and take a name for that name alone. Pure.
 */
import { canonicalIp, isLoopbackIp, parsePrefix, prefixContains } from '../base/ip.ts'
import { EngineError } from '../base/errors.ts'

export interface Proxy {
  readonly kind: 'http' | 'https' | 'socks5'
  /** Without brackets. */
  readonly host: string
  readonly port: number
  readonly user: string | undefined
  readonly password: string
  /** For people: without user and password. */
  readonly name: string
}

/** The proxies of a connection, in the order in which they are tried, and who named them. */
export interface ProxyChoice {
  readonly proxies: readonly Proxy[]
  readonly why: string
}

export interface ProxyTarget {
  readonly host: string
  readonly port: number
  readonly tls: boolean
}

type Env = Readonly<Record<string, string | undefined>>

const KINDS: Readonly<Record<string, { kind: Proxy['kind']; port: number }>> = {
  'http:': { kind: 'http', port: 80 },
  'https:': { kind: 'https', port: 443 },
  'socks5:': { kind: 'socks5', port: 1080 },
  'socks5h:': { kind: 'socks5', port: 1080 },
}

export class ProxyRules {
  readonly #env: Env
  #own: readonly { readonly ip: string; readonly port: number }[] = []

  constructor(env: Env) {
    this.#env = env
  }

  /** Addresses of the proxies that this engine itself serves. */
  setOwn(own: readonly { readonly ip: string; readonly port: number }[]): void {
    this.#own = own
  }

  /** Of proxies that others name those that may be taken for a connection: none to this computer or to what NO_PROXY excepts. */
  allowed(proxies: readonly Proxy[], { host, port }: ProxyTarget): readonly Proxy[] {
    if (isHere(host) || isExcepted(this.#setting(['NO_PROXY'])[1], host, port)) return []
    return proxies.filter((proxy) => !this.#isOwn(proxy))
  }

  /** The proxy for a connection; undefined = direct. Throws EngineError('proxy-bad-setting'), never with what was set. */
  proxyFor({ host, port, tls }: ProxyTarget): Proxy | undefined {
    const [name, text] = this.#setting(tls ? ['HTTPS_PROXY', 'ALL_PROXY'] : ['HTTP_PROXY', 'ALL_PROXY'])
    if (text === '' || isHere(host) || isExcepted(this.#setting(['NO_PROXY'])[1], host, port)) return undefined
    const proxy = parseProxy(text)
    if (!proxy) throw new EngineError('proxy-bad-setting', `the environment variable ${name} names no proxy. It must look like http://proxy.example.com:3128`)
    return this.#isOwn(proxy) ? undefined : proxy
  }

  #isOwn({ host, port }: Proxy): boolean {
    const address = host === 'localhost' ? '127.0.0.1' : canonicalIp(host)
    return address !== undefined && isLoopbackIp(address) && this.#own.some((own) => own.port === port && isHere(own.ip))
  }

  /** Whether some proxy is named for such connections, be it used or not. */
  isSet(tls: boolean): boolean {
    return this.#setting(tls ? ['HTTPS_PROXY', 'ALL_PROXY'] : ['HTTP_PROXY', 'ALL_PROXY'])[1] !== ''
  }

  #setting(names: readonly string[]): readonly [string, string] {
    for (const name of names) {
      for (const key of [name, name.toLowerCase()]) {
        const value = this.#env[key]?.trim() ?? ''
        if (value !== '') return [key, value]
      }
    }
    return ['', '']
  }
}

/** The proxy that a setting names; undefined when it names none. */
export function parseProxy(text: string): Proxy | undefined {
  let url: URL
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  } catch {
    return undefined
  }
  const known = KINDS[url.protocol]
  if (!known || url.hostname === '') return undefined
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = url.port === '' ? known.port : Number(url.port)
  try {
    const user = decodeURIComponent(url.username)
    const name = `${known.kind}://${host.includes(':') ? `[${host}]` : host}:${port}`
    return { kind: known.kind, host, port, user: user === '' ? undefined : user, password: decodeURIComponent(url.password), name }
  } catch {
    return undefined
  }
}

function isHere(host: string): boolean {
  const ip = canonicalIp(host)
  return /^localhost\.?$/i.test(host) || (ip !== undefined && isLoopbackIp(ip))
}

/** Whether NO_PROXY excepts the host. */
export function isExcepted(noProxy: string, host: string, port: number): boolean {
  const ip = canonicalIp(host)
  const name = host.toLowerCase().replace(/\.$/, '')
  return noProxy.split(',').map((entry) => entry.trim().toLowerCase()).some((entry) => {
    if (entry === '') return false
    if (entry === '*') return true
    const prefix = parsePrefix(entry)
    if (prefix && entry.includes('/')) return ip !== undefined && prefixContains(prefix, ip)
    const [, pattern, wantedPort] = /^(.*?)(?::(\d+))?$/.exec(canonicalIp(entry) === undefined ? entry : `[${entry}]`)!
    if (wantedPort !== undefined && Number(wantedPort) !== port) return false
    const bare = pattern!.replace(/^\[|\]$/g, '')
    const wantedIp = canonicalIp(bare)
    if (wantedIp !== undefined) return wantedIp === ip
    if (ip !== undefined) return false
    if (/^\*?\./.test(bare)) return name.endsWith(bare.replace(/^\*/, ''))
    return name === bare || name.endsWith(`.${bare}`)
  })
}
