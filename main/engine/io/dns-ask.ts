/**
 * Asks one resolver: a datagram, and over TCP when its answer was cut. Answers that do not fit the question are ignored,
 * so that nobody who guesses a port can answer in the resolver's place.
 */
import { createSocket } from 'node:dgram'
import { getServers } from 'node:dns'
import { connect } from 'node:net'
import { EngineError } from '../base/errors.ts'
import { isIp4 } from '../base/ip.ts'
import type { AddrPort } from '../base/ip.ts'
import { answersQuery, isTruncated } from '../core/dns/message.ts'

/** The system's resolvers, as "ip" or "ip:port" texts. */
export function systemResolvers(): readonly string[] {
  return getServers()
}

/** The resolver's whole answer. Rejects with EngineError('timeout' | 'io'). */
export async function askResolver(resolver: AddrPort, query: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
  const answer = await withTimeout(timeoutMs, resolver, (done, fail) => {
    const socket = createSocket(isIp4(resolver.ip) ? 'udp4' : 'udp6')
    socket.on('error', fail)
    socket.on('message', (bytes) => {
      if (answersQuery(bytes, query)) done(bytes)
    })
    socket.connect(resolver.port, resolver.ip, () => socket.send(query))
    return () => socket.close()
  })
  return isTruncated(answer) ? askByTcp(resolver, query, timeoutMs) : answer
}

function askByTcp(resolver: AddrPort, query: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
  return withTimeout(timeoutMs, resolver, (done, fail) => {
    let held = Buffer.alloc(0)
    const socket = connect({ host: resolver.ip, port: resolver.port }, () => socket.write(Buffer.concat([Buffer.of(query.length >> 8, query.length & 0xff), query])))
    socket.on('error', fail)
    socket.on('end', () => fail(new Error('the connection ended')))
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      const length = held.length < 2 ? Infinity : held.readUInt16BE(0)
      if (held.length < length + 2) return
      const answer = held.subarray(2, 2 + length)
      if (answersQuery(answer, query)) done(answer)
      else fail(new Error('the answer is to another question'))
    })
    return () => socket.destroy()
  })
}

/** Runs an exchange that may take `timeoutMs`; what it returns ends it. */
function withTimeout(timeoutMs: number, { ip, port }: AddrPort, run: (done: (bytes: Uint8Array) => void, fail: (error: Error) => void) => () => void): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let end: () => void = () => {}
    const over = (call: () => void): void => {
      clearTimeout(timer)
      end()
      end = () => {}
      call()
    }
    const timer = setTimeout(() => over(() => reject(new EngineError('timeout', `the resolver ${ip} port ${port} did not answer`))), timeoutMs)
    end = run(
      (bytes) => over(() => resolve(bytes)),
      (error) => over(() => reject(new EngineError('io', `the resolver ${ip} port ${port} could not be asked: ${error.message}`, { cause: error }))),
    )
  })
}
