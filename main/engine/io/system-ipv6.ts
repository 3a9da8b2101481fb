/**
 * Whether this system has IPv6 at all: a UDP socket can be bound to ::1. Says nothing of the network it is in.
 */
import { createSocket } from 'node:dgram'

/** Never rejects. */
export function systemHasIpv6(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: 'udp6', ipv6Only: true })
    const end = (has: boolean): void => {
      socket.close()
      resolve(has)
    }
    socket.once('error', () => end(false))
    socket.bind({ port: 0, address: '::1', exclusive: true }, () => end(true))
  })
}
