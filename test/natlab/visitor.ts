/**
 * Somebody who visits mirrors through the proxies of a node, once or again and again, as a program beside the node.
 *
 *   visitor.ts PLAN     PLAN is JSON as below; every attempt ends as one line of JSON on standard output
 *
 * An attempt begins every so often whether or not the one before has ended: what a program does that is not to be stopped.
 */
import { request } from 'node:http'
import { dialVia } from '../support/proxy-client.ts'
import { within } from '../support/wait.ts'
import { askByUdp } from './socks-datagrams.ts'

export interface Attempt {
  /** TCP and UDP through the SOCKS5 proxy, CONNECT or a plain request through the HTTP proxy. */
  readonly how: 'tcp' | 'udp' | 'connect' | 'http'
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

/** Attempts of one kind that wait at once. */
const MAX_WAITING = 20

async function visit({ how, host, port }: Attempt, { socksPort, httpPort, patienceMs }: Plan): Promise<string> {
  if (how === 'udp') return askByUdp(socksPort, host, port, patienceMs)
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
  const told = await within('the attempt', plan.patienceMs, visit(attempt, plan)).then(
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
