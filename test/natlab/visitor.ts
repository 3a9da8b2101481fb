/**
 * Somebody who visits mirrors through the proxies of a node, once or again and again, as a program beside the node.
 *
 *   visitor.ts PLAN     PLAN is JSON as below; every attempt ends as one line of JSON on standard output
 *
 * An attempt begins every so often whether or not the one before has ended: what a program does that is not to be stopped.
 */
import { request } from 'node:http'
import { decode, encode, RECURSION_DESIRED } from 'dns-packet'
import { dialVia } from '../support/proxy-client.ts'
import { within } from '../support/wait.ts'
import { askByUdp, talkByUdp } from './socks-datagrams.ts'

export interface Attempt {
  /**
   * TCP and UDP through the SOCKS5 proxy, CONNECT or a plain request through the HTTP proxy. `dns`: the host's IPv4 addresses, asked of the
   * network's own resolver by UDP. `stay`, `stay-udp`: says something every so often until the other side has gone, for UDP as long as it is patient.
   */
  readonly how: 'tcp' | 'udp' | 'connect' | 'http' | 'dns' | 'stay' | 'stay-udp'
  readonly host: string
  readonly port: number
}

export interface Plan {
  /** Absent: no proxy, as any program goes out. */
  readonly socksPort?: number
  readonly httpPort?: number
  readonly attempts: readonly Attempt[]
  /** Absent: each attempt once. */
  readonly everyMs?: number
  readonly patienceMs: number
}

export interface Outcome extends Attempt {
  /** Wall clock ms. */
  readonly beganMs: number
  readonly endedMs: number
  /** The address that the mirror saw. */
  readonly saw?: string
  readonly failed?: string
}

const STAY_EVERY_MS = 50

/** Attempts of one kind that wait at once. */
const MAX_WAITING = 20

async function visit({ how, host, port }: Attempt, { socksPort, httpPort, patienceMs }: Plan): Promise<string> {
  if (how === 'udp') return (await askByUdp(socksPort, host, port, patienceMs)).toString()
  if (how === 'dns') return askName(socksPort, host, patienceMs)
  if (how === 'stay' || how === 'stay-udp') return stay(how, host, port, socksPort, patienceMs)
  if (how === 'http') return getPage(httpPort, host, port)
  const proxy = how === 'tcp' ? socksPort : httpPort
  const socket = await dialVia(proxy === undefined ? { kind: 'none' } : { kind: how === 'tcp' ? 'socks5' : 'http', port: proxy }, host, port, patienceMs)
  try {
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    return text
  } finally {
    socket.destroy()
  }
}

async function askName(socksPort: number | undefined, name: string, patienceMs: number): Promise<string> {
  const question = encode({ type: 'query', id: 7, flags: RECURSION_DESIRED, questions: [{ type: 'A', name }] })
  const reply = decode(await askByUdp(socksPort, '100.100.100.100', 53, patienceMs, question))
  const answers = reply.answers ?? []
  if (answers.length === 0) throw new Error('rcode' in reply ? String(reply.rcode) : 'no answer in the reply')
  return answers.map((one) => (one.type === 'A' ? one.data : one.type)).join(' ')
}

/** Answers where it was seen from, all places in order, once the other side is gone. */
async function stay(how: 'stay' | 'stay-udp', host: string, port: number, proxyPort: number | undefined, patienceMs: number): Promise<string> {
  if (how === 'stay-udp') return (await talkByUdp(proxyPort, host, port, patienceMs, STAY_EVERY_MS)).join(' ')
  const socket = await dialVia(proxyPort === undefined ? { kind: 'none' } : { kind: 'socks5', port: proxyPort }, host, port, patienceMs)
  const timer = setInterval(() => socket.write('.'), STAY_EVERY_MS)
  const seen = new Set<string>()
  socket.on('data', (chunk: Buffer) => chunk.toString().split('\n').forEach((line) => seen.add(line)))
  await new Promise<void>((resolve) => {
    socket.on('error', () => resolve())
    socket.on('close', () => resolve())
  })
  clearInterval(timer)
  return [...seen].filter((line) => line !== '').join(' ')
}

function getPage(proxyPort: number | undefined, host: string, port: number): Promise<string> {
  const name = host.includes(':') ? `[${host}]` : host
  return new Promise((resolve, reject) => {
    const to = proxyPort === undefined ? { host, port, path: '/' } : { host: '127.0.0.1', port: proxyPort, path: `http://${name}:${port}/` }
    const call = request({ ...to, headers: { Host: `${name}:${port}` }, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => (text += part))
      response.on('end', () => (response.statusCode === 200 ? resolve(text) : reject(new Error(`${response.statusCode}: ${text.trim()}`))))
      response.on('error', reject)
    })
    call.on('error', reject)
    call.end()
  })
}

async function attemptOnce(attempt: Attempt, plan: Plan): Promise<void> {
  const beganMs = Date.now()
  const told = await within('the attempt', plan.patienceMs * 2, visit(attempt, plan)).then(
    (saw) => (saw === '' ? { failed: 'closed without a word' } : { saw }),
    (error: unknown) => ({ failed: error instanceof Error ? error.message : String(error) }),
  )
  console.log(JSON.stringify({ ...attempt, beganMs, endedMs: Date.now(), ...told } satisfies Outcome))
}

async function main(): Promise<void> {
  const plan = JSON.parse(process.argv[2] ?? '') as Plan
  if (plan.everyMs === undefined) {
    await Promise.all(plan.attempts.map((attempt) => attemptOnce(attempt, plan)))
    return process.exit(0)
  }
  for (const attempt of plan.attempts) {
    let waiting = 0
    setInterval(() => {
      if (waiting >= MAX_WAITING) return
      waiting++
      void attemptOnce(attempt, plan).finally(() => waiting--)
    }, plan.everyMs)
  }
}

if (process.argv[1] === import.meta.filename) await main()
