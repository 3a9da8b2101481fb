/**
 * A real derper on loopback: one region, plain HTTP (any port but 443 means that), STUN beside it. It asks the control
 * server which node keys may connect.
 */
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Child } from '../../support/child.ts'
import { freeTcpPort, freeUdpPort } from '../../support/ports.ts'
import { waitFor } from '../../support/wait.ts'

export interface DerperOptions {
  program: string
  folder: string
  region: number
  /** Address to serve on; the default is loopback. */
  host?: string
  /** Its IPv6 address too; the relay then has a namespace of its own and serves on all addresses there. */
  host6?: string
  /** The map says that it serves plain HTTP on port 80 too. */
  hasWeb?: boolean
  prefix?: readonly string[]
}

export class Derper {
  readonly region: number
  readonly code: string
  readonly host: string
  readonly #options: DerperOptions
  #child: Child | undefined
  #port = 0
  #stunPort = 0
  #pastLogs = ''
  #verifyUrl = ''

  constructor(options: DerperOptions) {
    this.#options = options
    this.region = options.region
    this.code = `r${options.region}`
    this.host = options.host ?? '127.0.0.1'
  }

  get port(): number {
    return this.#port
  }

  get stunPort(): number {
    return this.#stunPort
  }

  get pid(): number {
    if (this.#child === undefined) throw new Error(`${this.code} is not running`)
    return this.#child.pid
  }

  get log(): string {
    return this.#pastLogs + (this.#child?.log ?? '')
  }

  /** Chooses ports and writes the map file for Headscale's derp.paths. Returns the file's path. */
  async writeMap(): Promise<string> {
    this.#port = await freeTcpPort()
    this.#stunPort = await freeUdpPort()
    const path = join(this.#options.folder, `${this.code}.yaml`)
    writeFileSync(path, this.#mapText())
    return path
  }

  #mapText(): string {
    return `regions:
  ${this.region}:
    regionid: ${this.region}
    regioncode: ${this.code}
    regionname: Lab ${this.region}
    nodes:
      - {name: ${this.region}a, regionid: ${this.region}, hostname: ${this.host}, ipv4: ${this.host}, ipv6: ${this.#options.host6 === undefined ? 'none' : JSON.stringify(this.#options.host6)}, stunport: ${this.#stunPort}, derpport: ${this.#port}${this.#options.hasWeb === true ? ', canport80: true' : ''}}
`
  }

  /** Starts the relay; resolves when it accepts connections. */
  async start(verifyUrl: string): Promise<void> {
    this.#verifyUrl = verifyUrl
    await this.resume()
  }

  /** Starts a stopped relay again on the same ports, with the same key. */
  async resume(): Promise<void> {
    const child = new Child({
      name: this.code,
      command: this.#options.program,
      args: [
        `-a=${this.#options.host6 === undefined ? this.host : '[::]'}:${this.#port}`,
        '-http-port=-1',
        `-stun-port=${this.#stunPort}`,
        `-hostname=${this.host}`,
        `-c=${join(this.#options.folder, `${this.code}.key`)}`,
        `-verify-client-url=${this.#verifyUrl}`,
      ],
      ...(this.#options.prefix === undefined ? {} : { prefix: this.#options.prefix }),
    })
    this.#child = child
    await waitFor(
      `${this.code} to serve`,
      () => {
        child.assertRunning()
        return this.#options.prefix === undefined ? accepts(this.host, this.#port) : child.log.includes('serving on')
      },
      { withinMs: 20_000 },
    )
  }

  async stop(how: 'term' | 'kill' = 'term'): Promise<void> {
    const child = this.#child
    if (child === undefined) return
    await (how === 'kill' ? child.kill() : child.stop())
    this.#pastLogs += child.log
    this.#child = undefined
  }
}

/** Whether something accepts TCP connections there. */
function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
