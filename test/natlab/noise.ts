/**
 * What ordinary programs of a computer do all the time, as a program: every kind again and again, whether or not the one before has
 * ended. Every try ends as one line of JSON on standard output. None of it knows of a tunnel, and some of it tries to get past one.
 *
 *   noise.ts PLAN     PLAN is JSON as below
 *
 *   tcp udp ping name      to a public server by address in both families; by name as the system resolves names
 *   dns-own dns-public     questions to a resolver at home and to a public one, by programs that have their own idea of resolvers
 *   bound                  TCP and UDP from the address of the physical interface
 *   device                 web pages by the physical interface itself (SO_BINDTODEVICE); nothing else goes to that port
 *   lan                    the printer beside; shouts on the link
 *   stay                   connections that are open as long as they live
 *   dhcp                   a broadcast as a DHCP client sends it: the one thing that may always leave
 */
import { execFile } from 'node:child_process'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { connect, isIP } from 'node:net'
import { encode } from 'dns-packet'
import { within } from '../support/wait.ts'

export interface NoisePlan {
  readonly mirror: { readonly name: string; readonly v4: string; readonly v6: string; readonly port: number }
  /** Addresses of the physical interface, and its name. */
  readonly own: { readonly v4: string; readonly v6: string; readonly device: string }
  readonly printer: { readonly v4: string; readonly v6: string; readonly port: number }
  readonly homeResolver: string
  readonly publicResolver: string
}

export interface NoiseLine {
  readonly what: string
  /** Wall clock ms. */
  readonly beganMs: number
  readonly endedMs: number
  /** What came back: the address under which the other side saw us, or what a program said. */
  readonly saw?: string
  readonly failed?: string
}

const OFTEN_MS = 250
/** For what is a process each time. */
const SELDOM_MS = 900
const PATIENCE_MS = 3_000
const MAX_WAITING = 8
const STAY_EVERY_MS = 100

let serial = 0

function byTcp(host: string, port: number, localAddress?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) })
    let text = ''
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer')))
    socket.on('data', (bytes: Buffer) => (text += bytes.toString()))
    socket.on('error', reject)
    socket.on('close', () => (text === '' ? reject(new Error('closed without a word')) : resolve(text)))
  })
}

function byUdp(host: string, port: number, question: Uint8Array, localAddress?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4')
    const end = (told: Error | string): void => {
      clearTimeout(timer)
      socket.close()
      if (typeof told === 'string') resolve(told)
      else reject(told)
    }
    const timer = setTimeout(() => end(new Error('no answer')), PATIENCE_MS)
    socket.on('error', end)
    socket.on('message', (bytes) => end(bytes.toString('latin1')))
    const send = (): void => socket.send(question, port, host, (error) => {
      if (error !== null) end(error)
    })
    if (localAddress === undefined) send()
    else socket.bind(0, localAddress, send)
  })
}

/** Says something every so often until the other side is gone; answers where it was seen from, all places in order. */
function stay(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const seen = new Set<string>()
    const timer = setInterval(() => socket.write('.'), STAY_EVERY_MS)
    socket.on('data', (bytes: Buffer) => bytes.toString().split('\n').filter((line) => line !== '').forEach((line) => seen.add(line)))
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearInterval(timer)
      if (seen.size > 0) resolve([...seen].join(' '))
      else reject(new Error('closed without a word'))
    })
  })
}

function byProgram(command: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => execFile(command, args, { timeout: PATIENCE_MS * 2 }, (error, stdout) => (error === null ? resolve(stdout.trim()) : reject(new Error(`status ${String(error.code)}`)))))
}

const question = (name: string): Uint8Array => encode({ type: 'query', id: ++serial & 65_535, flags: 256, questions: [{ type: 'A', name }] })

/** Another name each time: nobody has it in store. */
const fresh = (kind: string): string => `${kind}${++serial}.leak.example`

async function byName(name: string, port: number): Promise<string> {
  const { address } = await lookup(name, { family: 4 })
  return byTcp(address, port)
}

type Try = () => Promise<string>

function often({ mirror, own, printer, homeResolver, publicResolver }: NoisePlan): Readonly<Record<string, Try>> {
  const who = Buffer.from('who am I?')
  return {
    tcp4: () => byTcp(mirror.v4, mirror.port),
    tcp6: () => byTcp(mirror.v6, mirror.port),
    udp4: () => byUdp(mirror.v4, mirror.port, who),
    udp6: () => byUdp(mirror.v6, mirror.port, who),
    name: () => byName(mirror.name, mirror.port),
    'name-fresh': async () => (await lookup(fresh('system'))).address,
    'dns-own': () => byUdp(homeResolver, 53, question(fresh('own'))),
    'dns-public': () => byUdp(publicResolver, 53, question(fresh('public'))),
    bound4: () => byTcp(mirror.v4, mirror.port, own.v4),
    bound6: () => byTcp(mirror.v6, mirror.port, own.v6),
    'bound-udp4': () => byUdp(mirror.v4, mirror.port, who, own.v4),
    'bound-udp6': () => byUdp(mirror.v6, mirror.port, who, own.v6),
    lan4: () => byTcp(printer.v4, printer.port),
    lan6: () => byTcp(printer.v6, printer.port),
    'lan-udp4': () => byUdp(printer.v4, printer.port, who),
    stay4: () => stay(mirror.v4, mirror.port + 1),
    stay6: () => stay(mirror.v6, mirror.port + 1),
  }
}

function seldom({ mirror, own }: NoisePlan): Readonly<Record<string, Try>> {
  const device = (host: string): Try => () =>
    byProgram('curl', '-sS', '--max-time', '2', '--interface', `if!${own.device}`, `http://${host}/`)
  return {
    device4: device(mirror.v4),
    device6: device(`[${mirror.v6}]`),
    ping4: () => byProgram('ping', '-n', '-c', '1', '-W', '2', mirror.v4),
    ping6: () => byProgram('ping', '-n', '-c', '1', '-W', '2', mirror.v6),
    dig: () => byProgram('dig', '+short', '+tries=1', '+time=2', fresh('dig')),
  }
}

/** What never has an answer: it is sent, and that is all. */
function shout(socket: UdpSocket, port: number, host: string): void {
  socket.send(Buffer.from('is anybody there?'), port, host, () => undefined)
}

async function once(what: string, attempt: Try): Promise<void> {
  const beganMs = Date.now()
  const told = await (what.startsWith('stay') ? attempt() : within('the try', PATIENCE_MS * 3, attempt())).then(
    (saw) => ({ saw: saw.slice(0, 200) }),
    (error: unknown) => ({ failed: error instanceof Error ? error.message : String(error) }),
  )
  console.log(JSON.stringify({ what, beganMs, endedMs: Date.now(), ...told } satisfies NoiseLine))
}

function repeat(tries: Readonly<Record<string, Try>>, everyMs: number): void {
  for (const [what, attempt] of Object.entries(tries)) {
    let waiting = 0
    const most = what.startsWith('stay') ? 1 : MAX_WAITING
    const next = (): void => {
      if (waiting >= most) return
      waiting++
      void once(what, attempt).finally(() => waiting--)
    }
    next()
    setInterval(next, everyMs)
  }
}

function main(): void {
  const plan = JSON.parse(process.argv[2] ?? '') as NoisePlan
  repeat(often(plan), OFTEN_MS)
  repeat(seldom(plan), SELDOM_MS)
  const dhcp = createSocket({ type: 'udp4', reuseAddr: true })
  dhcp.on('error', () => undefined)
  dhcp.bind(68, () => dhcp.setBroadcast(true))
  const link = createSocket('udp4')
  link.on('error', () => undefined)
  setInterval(() => {
    shout(dhcp, 67, '255.255.255.255')
    shout(link, 5353, '224.0.0.251')
  }, SELDOM_MS)
}

if (process.argv[1] === import.meta.filename) main()
