/**
 * Resolvers in memory, each at its place, and a log of who was asked what by which way. Datagrams come back in a later turn,
 * never at once; TCP is the same question over a stream.
 */
import { duplexPair, type Duplex } from 'node:stream'
import { decode, encode } from 'dns-packet'
import type { Answer, Question } from 'dns-packet'
import { EngineError } from '../../main/engine/base/errors.ts'
import { formatAddrPort } from '../../main/engine/base/ip.ts'
import type { AddrPort } from '../../main/engine/base/ip.ts'
import type { Carrier } from '../../main/engine/dns/ports.ts'

/** What a resolver says to a query; undefined: nothing. */
export type Says = (query: Buffer, question: Question, way: { readonly carrier: 'system' | 'tunnel'; readonly tcp: boolean }) => Uint8Array | undefined

/** A resolver that knows these records, by name in lower case; others do not exist. */
export function knows(records: Readonly<Record<string, readonly Answer[]>>): Says {
  return (query, question) => {
    const all = records[question.name.toLowerCase()]
    const answers = chain(records, question.name.toLowerCase(), question.type)
    return encode({ type: 'response', id: decode(query).id!, flags: 0x180 | (all ? 0 : 3), questions: [question], answers: [...answers], authorities: all ? [] : [soaOf(question.name)] })
  }
}

function chain(records: Readonly<Record<string, readonly Answer[]>>, name: string, type: Question['type']): readonly Answer[] {
  const all = records[name] ?? []
  const alias = all.find((one) => one.type === 'CNAME') as { data: string } | undefined
  return [...all.filter((one) => one.type === type || one.type === 'CNAME'), ...(alias ? chain(records, alias.data, type) : [])]
}

function soaOf(name: string): Answer {
  return { type: 'SOA', name: name.split('.').slice(-1)[0]!, ttl: 60, data: { mname: 'ns.test', rname: 'ns.test', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 30 } }
}

/** A resolver that answers every question with a code. */
export function refuses(rcode: number): Says {
  return (query, question) => encode({ type: 'response', id: decode(query).id!, flags: rcode, questions: [question] })
}

export class DnsWorld {
  readonly resolvers = new Map<string, Says>()
  /** "tunnel udp 10.0.0.53:53 www.example A", in order. */
  readonly log: string[] = []
  readonly system: Carrier = this.#carrier('system')
  readonly tunnel: Carrier = this.#carrier('tunnel')
  systemServers: readonly string[] = ['192.0.2.53']
  searchDomains: readonly string[] = []
  /** As the system's own lookup would find them. */
  readonly hostsFile = new Map<string, readonly string[]>()

  add(ip: string, says: Says): this {
    this.resolvers.set(`${ip.includes(':') ? `[${ip}]` : ip}:53`, says)
    return this
  }

  /** Names that were asked for by a way. */
  asked(way: string): readonly string[] {
    return this.log.filter((line) => line.startsWith(way))
  }

  readonly systemLookup = async (host: string): Promise<readonly string[]> => {
    this.log.push(`system lookup ${host}`)
    const found = this.hostsFile.get(host.toLowerCase())
    if (!found) throw new EngineError('dns-no-such-name', `${host} is unknown`)
    return found
  }

  #ask(carrier: 'system' | 'tunnel', to: AddrPort, query: Buffer, tcp: boolean): Uint8Array | undefined {
    const question = decode(query).questions![0]!
    this.log.push(`${carrier} ${tcp ? 'tcp' : 'udp'} ${formatAddrPort(to)} ${question.name} ${question.type}`)
    return this.resolvers.get(formatAddrPort(to))?.(query, question, { carrier, tcp })
  }

  #carrier(name: 'system' | 'tunnel'): Carrier {
    return {
      datagram: (to, bytes, onAnswer, onError) => {
        let isOpen = true
        setImmediate(() => {
          if (!isOpen) return
          if (!this.resolvers.has(formatAddrPort(to))) return onError(new Error('nobody is there'))
          const answer = this.#ask(name, to, Buffer.from(bytes), false)
          if (answer) onAnswer(new Uint8Array(answer))
        })
        return () => (isOpen = false)
      },
      dial: async (to) => {
        if (!this.resolvers.has(formatAddrPort(to))) throw new EngineError('io', 'connection refused')
        const [near, far] = duplexPair()
        this.#serve(name, to, far)
        return near
      },
    }
  }

  #serve(carrier: 'system' | 'tunnel', to: AddrPort, stream: Duplex): void {
    stream.on('error', () => {})
    stream.once('data', (chunk: Buffer) => {
      const answer = this.#ask(carrier, to, chunk.subarray(2), true)
      if (answer) stream.write(Buffer.concat([Buffer.of(answer.length >> 8, answer.length & 255), answer]))
    })
  }
}
