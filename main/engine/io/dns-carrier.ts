/**
 * Questions by this computer's own network: datagrams from a socket of their own each, and TCP; and whom the system asks.
 */
import { Resolver } from 'node:dns'
import { readFileSync } from 'node:fs'
import { platform } from 'node:os'
import type { Duplex } from 'node:stream'
import { EngineError } from '../base/errors.ts'
import { isIp4 } from '../base/ip.ts'
import type { AddrPort } from '../base/ip.ts'
import type { Wires } from './wires.ts'

const MAX_DOMAINS = 6

/** The system's resolvers of this moment, as "ip" or "ip:port" texts. */
export function systemResolvers(): readonly string[] {
  // A new one reads the system's settings anew; Node's own keeps those of its start.
  return new Resolver().getServers()
}

/** Domains that the system adds to names of one label; none where it does not say. */
export function systemSearch(read: () => string | undefined = readResolvConf): readonly string[] {
  let found: string[] = []
  for (const line of (read() ?? '').split('\n')) {
    const [word, ...domains] = line.trim().split(/\s+/)
    if (word === 'search' || word === 'domain') found = domains
  }
  return found.map((domain) => domain.replace(/\.$/, '').toLowerCase()).filter((domain) => domain !== '').slice(0, MAX_DOMAINS)
}

function readResolvConf(): string | undefined {
  if (platform() === 'win32') return undefined
  try {
    return readFileSync('/etc/resolv.conf', 'utf8')
  } catch {
    return undefined
  }
}

/** Questions by this computer's own network. */
export class SystemCarrier {
  readonly #wires: Wires

  constructor(wires: Wires) {
    this.#wires = wires
  }

  /** One datagram from a fresh port; what comes back from that very place is told until the returned function is called. */
  datagram(to: AddrPort, bytes: Uint8Array, onAnswer: (bytes: Uint8Array) => void, onError: (error: Error) => void): () => void {
    let isOpen = true
    const socket = this.#wires.datagrams(isIp4(to.ip) ? 4 : 6, undefined, (bound) => {
      bound.connect(to.port, to.ip, () => isOpen && bound.send(bytes, (error) => void (error && fail(error))))
    })
    const close = (): void => {
      if (!isOpen) return
      isOpen = false
      socket.close()
    }
    const fail = (error: Error): void => {
      if (!isOpen) return
      close()
      onError(error)
    }
    socket.on('error', fail)
    socket.on('message', (received) => void (isOpen && onAnswer(received)))
    return close
  }

  /** Rejects with EngineError('timeout' | 'io'). */
  dial(to: AddrPort, timeoutMs: number): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const socket = this.#wires.connect(to.ip, to.port)
      const fail = (error: EngineError): void => {
        clearTimeout(timer)
        socket.destroy()
        reject(error)
      }
      const timer = setTimeout(() => fail(new EngineError('timeout', `${to.ip} port ${to.port} does not answer`)), timeoutMs)
      const onError = (error: Error): void => fail(new EngineError('io', error.message, { cause: error }))
      socket.once('error', onError)
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.off('error', onError)
        // Whoever takes it listens for itself.
        socket.on('error', () => {})
        resolve(socket)
      })
    })
  }
}
