/**
 * Free ports on 127.0.0.1. A port is handed out once per process; another process may still take it before it is bound,
 * so programs that can bind port 0 themselves should.
 */
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

const handedOut = new Set<number>()

/** Returns a TCP port that was free on 127.0.0.1 a moment ago. */
export async function freeTcpPort(): Promise<number> {
  for (;;) {
    const port = await new Promise<number>((resolve, reject) => {
      const server = createServer()
      server.once('error', reject)
      server.listen(0, '127.0.0.1', () => {
        const address = server.address()
        server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
      })
    })
    if (handedOut.has(port)) continue
    handedOut.add(port)
    return port
  }
}

/** Returns a UDP port that was free on all IPv4 addresses a moment ago. */
export async function freeUdpPort(): Promise<number> {
  for (;;) {
    const port = await new Promise<number>((resolve, reject) => {
      const socket = createSocket('udp4')
      socket.once('error', reject)
      socket.bind(0, () => {
        const { port: bound } = socket.address()
        socket.close(() => resolve(bound))
      })
    })
    if (handedOut.has(port)) continue
    handedOut.add(port)
    return port
  }
}
