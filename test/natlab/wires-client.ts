/**
 * The engine's own ways to the outside on a host where everything else goes into a tunnel that leads nowhere, as a program; what became
 * of each is a line of JSON. It sets the rules of its own network namespace itself, and ends by itself.
 *
 *   wires-client.ts SERVER NAMESERVER SELF
 */
import { execFileSync } from 'node:child_process'
import { createSocket, type Socket as DatagramSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Env } from '../../main/engine/base/env.ts'
import { silentLog } from '../../main/engine/base/log.ts'
import { OwnLookup } from '../../main/engine/dns/own-lookup.ts'
import { SystemClock } from '../../main/engine/io/clock.ts'
import { SystemCarrier } from '../../main/engine/io/dns-carrier.ts'
import { MemoryStore } from '../../main/engine/io/memory-store.ts'
import { loadNative } from '../../main/engine/io/native.ts'
import { Outside } from '../../main/engine/io/outside.ts'
import { systemRandom } from '../../main/engine/io/random.ts'
import { RouterWays } from '../../main/engine/io/router-access.ts'
import { askStun } from '../../main/engine/io/stun-ask.ts'
import { Wires } from '../../main/engine/io/wires.ts'

export interface Outcome {
  readonly what: string
  readonly found: unknown
}

const MARK = 0x80000
const LIMIT_MS = 20_000
const [server = '', nameServer = '', self = ''] = process.argv.slice(2)
const link = { gateway: server, selfIp: self }
const native = loadNative()
const wires = new Wires(native.wires)
const env: Env = { clock: new SystemClock(), random: systemRandom, log: silentLog, journal: { add: () => {} } }
const carrier = new SystemCarrier(wires)
const own = new OwnLookup({
  env, carrier, own: () => ({ servers: [nameServer], search: ['lab'] }), hosts: () => new Map(), hasIpv6: () => false,
  neighbours: async (host, family) => lookup(host, { all: true, family }),
})
const outside = new Outside({ env, wires, lookup: (host, { family }) => own.lookup(host, family), store: new MemoryStore(), variables: {}, server: () => '' })
const router = new RouterWays(wires, outside.fetchStraight)

const ip = (...words: string[]): void => void execFileSync('ip', words)

/** The rules of the whole-computer mode, over a tunnel in which everything gets lost. */
function setRules(how: 'add' | 'del'): void {
  for (const family of ['-4', '-6']) {
    ip(family, 'rule', how, 'pref', '5210', 'fwmark', '0x80000/0xff0000', 'lookup', 'main')
    ip(family, 'rule', how, 'pref', '5230', 'fwmark', '0x80000/0xff0000', 'lookup', 'default')
    ip(family, 'rule', how, 'pref', '5250', 'fwmark', '0x80000/0xff0000', 'type', 'unreachable')
    ip(family, 'rule', how, 'pref', '5270', 'lookup', '52')
    ip(family, 'route', how, 'unreachable', 'default', 'metric', '4294967295', 'table', '52')
  }
}

async function say(what: string, work: () => unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise((resolve) => (timer = setTimeout(resolve, LIMIT_MS, 'no answer')))
  const found = await Promise.race([late, Promise.resolve().then(work).catch((error: NodeJS.ErrnoException) => `error ${error.code ?? error.message}`)])
  clearTimeout(timer)
  console.log(JSON.stringify({ what, found } satisfies Outcome))
}

async function saysBack(socket: Socket, text: string): Promise<string> {
  const heard = once(socket, 'data') as Promise<[Buffer]>
  socket.write(text)
  return (await heard)[0].toString()
}

const answerOf = (open: (tell: (bytes: Uint8Array) => void) => { close(): void }): Promise<string> => new Promise((resolve) => {
  const socket = open((bytes) => {
    socket.close()
    resolve(Buffer.from(bytes).toString())
  })
})

/** Everything that the engine opens, each to its end. */
async function all(): Promise<void> {
  const { dial, fetch, resolve } = outside
  const get = { method: 'GET', timeoutMs: LIMIT_MS, maxBytes: 1000 } as const
  await say('name', () => resolve('control.lab'))
  await say('short name', () => resolve('control'))
  await say('long answer', async () => (await resolve('big.lab')).length)
  await say('tcp', async () => {
    const socket = await dial({ host: 'control.lab', port: 7, timeoutMs: LIMIT_MS })
    return saysBack(socket, 'hello').finally(() => socket.destroy())
  })
  await say('http', async () => Buffer.from((await fetch({ ...get, url: 'http://control.lab/key?v=1' })).body).toString())
  await say('stun', async () => (await askStun(wires, server, 3478, LIMIT_MS, new AbortController().signal))?.replace(/:\d+$/, ''))
  await say('router', () => answerOf((tell) => {
    const socket = router.openPort(link, 5351, tell)
    socket.send(Buffer.from('map'))
    return socket
  }))
  await say('search', () => answerOf((tell) => {
    const socket = router.openSearch(link, tell)
    socket.send({ ip: '239.255.255.250', port: 1900 }, Buffer.from('search'))
    return socket
  }))
  await say('router by http', async () => (await router.http(link, { method: 'GET', place: { port: 80, path: '/root.xml' }, timeoutMs: LIMIT_MS, maxBytes: 1000 })).body)
  await say('echo', async () => (await native.askEcho([{ ip: server, payload: Buffer.from('x') }], LIMIT_MS, wires.way)).every((ms) => ms !== undefined))
  await say('way to the world', () => native.networkState!(wires.way?.mark).defaultRoute4?.interface ?? 'none')
}

const opened = async (socket: Socket): Promise<Socket> => {
  await once(socket, 'connect')
  return socket.on('error', () => {})
}

const programs = await opened(connect(7, server))
const ours = await opened(wires.connect(server, 7))
const datagrams = await new Promise<DatagramSocket>((resolve) => wires.datagrams(4, undefined, resolve))
datagrams.connect(5351, server)
await once(datagrams, 'connect')
await say('before', async () => [await saysBack(programs, 'a'), await saysBack(ours, 'b')])

wires.steer({ mark: MARK })
setRules('add')
let programHeard = ''
programs.on('data', (bytes) => (programHeard += bytes.toString()))
programs.write('lost')
await say('a living connection', () => saysBack(ours, 'c'))
await say('living datagrams', async () => {
  const heard = once(datagrams, 'message') as Promise<[Buffer]>
  datagrams.send('d')
  return (await heard)[0].toString()
})
await all()
await say('a program by tcp', async () => {
  await once(connect(7, server), 'connect')
  return 'connected'
})
await say('a program by udp', async () => {
  const socket = createSocket('udp4')
  const [error] = (await new Promise<unknown[]>((resolve) => {
    socket.once('error', (...words) => resolve(words))
    socket.send('x', 5351, server, (...words) => resolve(words))
  })) as [NodeJS.ErrnoException | null]
  socket.close()
  return error?.code ?? 'sent'
})
await say('way of programs', () => native.networkState!().defaultRoute4?.interface ?? 'none')
await say("a program's living connection", () => (programHeard === '' ? 'silent' : programHeard))

console.log(JSON.stringify({ what: 'back', found: '' }))
setRules('del')
wires.steer(undefined)
await say('the same connection', () => saysBack(ours, 'e'))
await all()
process.exit(0)
