/**
 * What a person does with a fresh engine on the demo network, done by a script through the same doors: the LocalAPI, the
 * sign-in page, the proxies. Every step checks what it says; the first that does not hold ends the demo as failed.
 *
 * Nothing here tells the engine about paths. The gate keeps direct datagrams out until the relayed part is seen; then it
 * opens, and the engines find the direct way by themselves.
 */
import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { toHex } from '../../../main/engine/base/bytes.ts'
import { hashSha256 } from '../../../main/engine/base/crypto.ts'
import { errorText } from '../../../main/engine/base/errors.ts'
import type { PeerStatus, PingResult, Status } from '../../../main/localapi/types.ts'
import { WATCH } from '../../../main/localapi/watch-mask.ts'
import { submitForm, visit } from '../control/browser.ts'
import { PEERS } from './demo-network.ts'
import type { DemoEngine, DemoNetwork } from './demo-network.ts'
import { fetchByHttpProxy, fetchBySocks, socksConnect } from './proxied-fetch.ts'
import type { Screen } from './screen.ts'

/** What the summary says. */
export interface StoryResult {
  readonly relayedMs: number
  readonly directMs: number
  readonly upgradeMs: number
  readonly heldBack: number
}

const COMMAND = fileURLToPath(new URL('../../../build/scripts/bowline.mjs', import.meta.url))
const COMMAND_MS = 15_000
const FETCH_MS = 5000
const POLL_MS = 200
const LOGIN = 'you'
/** How long the network holds direct traffic back, at least, counted from the first ping. */
const HOLD_MS = 5000
const PAGE_EVERY_MS = 500
const SOCKS_NOT_ALLOWED = 'SOCKS: refused with code 2'

/** Calls `look` until it gives something, or fails with the last error after `timeoutMs`. */
export async function until<T>(look: () => Promise<T | undefined>, what: string, timeoutMs: number): Promise<T> {
  const endMs = performance.now() + timeoutMs
  for (let last = ''; ; await sleep(POLL_MS)) {
    try {
      const value = await look()
      if (value !== undefined) return value
    } catch (error) {
      last = `: ${errorText(error)}`
    }
    if (performance.now() >= endMs) throw new Error(`${what} did not happen within ${timeoutMs / 1000} s${last}`)
  }
}

export class Story {
  readonly #network: DemoNetwork
  readonly #engine: DemoEngine
  readonly #screen: Screen

  constructor(network: DemoNetwork, engine: DemoEngine, screen: Screen) {
    this.#network = network
    this.#engine = engine
    this.#screen = screen
  }

  /** All of it, in order. */
  async run(): Promise<StoryResult> {
    this.#screen.heading('Signing in')
    await this.#signIn()
    const peers = await this.#listPeers()
    this.#screen.heading('Through the relay')
    const holdUntilMs = performance.now() + HOLD_MS
    const relayedMs = await this.#pingAll(peers, 'relay')
    await this.#fetchPage()
    await this.#fetchFile()
    await this.#tryForbidden(peers)
    this.#screen.heading('From relayed to direct')
    await this.#stayRelayed(holdUntilMs)
    const heldBack = this.#network.gate.counts.dropped
    const upgradeMs = await this.#openGate()
    const directMs = await this.#pingAll(peers, 'direct')
    await this.#fetchDirect()
    return { relayedMs, directMs, upgradeMs, heldBack }
  }

  async #signIn(): Promise<void> {
    const { api } = this.#engine
    let link: string | undefined
    const end = api.watch(WATCH.initialState, (notify) => (link = notify.BrowseToURL ?? link))
    try {
      await this.#screen.step(
        'asking the control server for a sign-in link',
        async () => {
          const prefs = { ControlURL: this.#network.control.url, WantRunning: true, Hostname: 'my-computer' }
          await api.call('start', { body: { UpdatePrefs: prefs } })
          await api.call('loginInteractive')
          return until(() => Promise.resolve(link), 'a sign-in link', 10_000)
        },
        (url) => `sign-in link: ${url}`,
      )
    } finally {
      end()
    }
    await this.#screen.step(
      'signing in on that page',
      async () => {
        const page = await visit(link!)
        const done = await submitForm(page, { name: LOGIN })
        if (done.status !== 200) throw new Error(`the page answered ${done.status}`)
        return until(async () => running(await api.call('status')), 'state Running', 15_000)
      },
      (status) => `signed in as ${LOGIN}; this device is ${status.Self.DNSName.replace(/\.$/, '')}, ${status.TailscaleIPs?.[0] ?? ''}`,
    )
  }

  async #listPeers(): Promise<PeerStatus[]> {
    const { api } = this.#engine
    const peers = await this.#screen.step(
      'waiting for the peers to be reachable',
      () => until(async () => reachable(await api.call('status')), `all of ${PEERS.join(', ')} online with a relay`, 15_000),
      (found) => `${found.length} peers online`,
    )
    const shown = await this.#screen.step('asking the command line', () => this.#command('status'), () => '`bowline status` says')
    for (const line of shown.trimEnd().split('\n')) this.#screen.line(`    ${line}`.trimEnd())
    const missing = PEERS.filter((name) => !shown.includes(name))
    if (missing.length > 0) throw new Error(`\`bowline status\` does not show ${missing.join(', ')}`)
    if (!peers.some((peer) => peer.ExitNodeOption)) throw new Error('no peer is seen to offer itself as an exit node')
    return peers
  }

  /** What the command prints, run as a person would run it. */
  async #command(...words: string[]): Promise<string> {
    const args = [COMMAND, `--socket=${this.#engine.socketPath}`, ...words]
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: COMMAND_MS })
    return stdout
  }

  /** Pings every peer until the path is of that kind; the median of the answers in ms. */
  async #pingAll(peers: readonly PeerStatus[], kind: 'relay' | 'direct'): Promise<number> {
    const times: number[] = []
    for (const peer of peers) {
      const ping = await this.#screen.step(
        `ping ${labelOf(peer)}`,
        () => until(() => this.#pingOnce(peer, kind), `an answer from ${labelOf(peer)} (${kind})`, 15_000),
        (pong) => `${labelOf(peer).padEnd(9)} answers in ${msText(pong.LatencySeconds)}, ${pathText(pong)}`,
      )
      times.push(ping.LatencySeconds * 1000)
    }
    return times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0
  }

  async #pingOnce(peer: PeerStatus, kind: 'relay' | 'direct'): Promise<PingResult | undefined> {
    const pong = await this.#engine.api.ping(ipOf(peer), 'disco')
    if (pong.Err !== '') throw new Error(pong.Err)
    if (kind === 'relay' && pong.Endpoint !== '') throw new Error(`a direct answer from ${pong.Endpoint} through a shut gate`)
    if (kind === 'direct' && pong.Endpoint === '') {
      // Paths are sought for those who have something to say.
      await this.#engine.api.ping(ipOf(peer), 'TSMP')
      return undefined
    }
    return pong
  }

  async #fetchPage(): Promise<void> {
    const url = `http://web:${this.#network.webPort}/`
    await this.#screen.step(
      `fetching ${url} through the HTTP proxy`,
      async () => {
        const page = await fetchByHttpProxy(this.#engine.httpProxy!, url, FETCH_MS)
        if (page.status !== 200) throw new Error(`HTTP ${page.status}`)
        return page.body.toString('utf8')
      },
      (page) => `${url} says “${/<title>([^<]*)/.exec(page)?.[1] ?? ''}”`,
    )
  }

  async #fetchFile(): Promise<void> {
    const [name, file] = [...this.#network.files].find(([, one]) => one.sizeBytes > 100_000)!
    const url = `http://files.demo.internal:${this.#network.filesPort}/${name}`
    await this.#screen.step(
      `fetching ${url} through the SOCKS5 proxy`,
      async () => {
        const { body } = await fetchBySocks(this.#engine.socks5!, url, 3 * FETCH_MS)
        if (toHex(hashSha256(body)) !== file.sha256) throw new Error(`${name} arrived damaged: ${body.length} of ${file.sizeBytes} bytes`)
        return body.length
      },
      (sizeBytes) => `${name} from the file server, ${(sizeBytes / 1024).toFixed(0)} KiB, hash right`,
    )
  }

  /** The laptop's owner allowed nobody in: a connection must not come about. */
  async #tryForbidden(peers: readonly PeerStatus[]): Promise<void> {
    const laptop = peers.find((peer) => labelOf(peer) === 'laptop')!
    await this.#screen.step(
      'trying what the policy does not allow',
      async () => {
        const hitsBefore = this.#network.webHits()
        const code = await socksConnect(this.#engine.socks5!, labelOf(laptop), this.#network.webPort, FETCH_MS).then(
          (socket) => socket.destroy() && 'connected',
          (error: unknown) => errorText(error),
        )
        const isRefused = code === SOCKS_NOT_ALLOWED && this.#network.webHits() === hitsBefore
        if (!isRefused) throw new Error(`not the refusal that it should be: ${code}`)
      },
      () => 'the laptop refuses a connection that the policy does not allow',
    )
  }

  /** Pages keep coming while the network drops what is direct, and the path stays what it is. */
  async #stayRelayed(untilMs: number): Promise<void> {
    const url = `http://web:${this.#network.webPort}/`
    await this.#screen.step(
      'talking to web while the network drops direct traffic',
      async (say) => {
        let pages = 0
        do {
          const startMs = performance.now()
          await fetchByHttpProxy(this.#engine.httpProxy!, url, FETCH_MS)
          pages += 1
          say(`page ${pages} in ${(performance.now() - startMs).toFixed(0)} ms, relayed`)
          if (await this.#directPath('web')) throw new Error('a direct path through a shut gate')
          await sleep(PAGE_EVERY_MS)
        } while (performance.now() < untilMs)
        return pages
      },
      (pages) => `${pages} more pages from web, all relayed; the network dropped ${this.#network.gate.counts.dropped} direct datagrams`,
    )
  }

  /** Opens the gate and waits, talking to the web server all the while, until its path is direct; ms it took. */
  async #openGate(): Promise<number> {
    const { gate, webPort } = { gate: this.#network.gate, webPort: this.#network.webPort }
    this.#screen.note('the network lets direct traffic through from here on')
    gate.open()
    const startMs = performance.now()
    const keepTalking = setInterval(() => {
      fetchByHttpProxy(this.#engine.httpProxy!, `http://web:${webPort}/`, FETCH_MS).catch(() => undefined)
    }, PAGE_EVERY_MS)
    try {
      await this.#screen.step(
        'talking to web until a direct path is found',
        () => until(async () => this.#directPath('web'), 'a direct path to web', 25_000),
        (path) => `web: relayed → direct, ${path.addr ?? ''} (${path.why})`,
      )
    } finally {
      clearInterval(keepTalking)
    }
    return performance.now() - startMs
  }

  async #directPath(label: string): Promise<{ addr?: string; why: string } | undefined> {
    const { paths } = await this.#engine.api.call('paths')
    return paths.find((path) => path.name.split('.')[0] === label && path.kind === 'direct')
  }

  /** A page over the direct path must cost the relay nothing. */
  async #fetchDirect(): Promise<void> {
    const { counts } = this.#network.derp
    await this.#screen.step(
      'fetching the page once more',
      async () => {
        const before = counts.forwardedBytes
        const passedBefore = this.#network.gate.counts.passed
        const page = await fetchByHttpProxy(this.#engine.httpProxy!, `http://web:${this.#network.webPort}/`, FETCH_MS)
        if (page.status !== 200) throw new Error(`HTTP ${page.status}`)
        const passed = this.#network.gate.counts.passed - passedBefore
        if (passed === 0) throw new Error('nothing went over the direct path')
        return { passed, relayedBytes: counts.forwardedBytes - before }
      },
      ({ passed, relayedBytes }) => `the page came in ${passed} direct datagrams, ${relayedBytes} bytes through the relay`,
    )
  }
}

function running(status: Status): Status | undefined {
  return status.BackendState === 'Running' ? status : undefined
}

/** The demo's peers once all can be reached through a relay, in their order. */
function reachable(status: Status): PeerStatus[] | undefined {
  const peers = Object.values(status.Peer ?? {}).filter((peer) => peer.Online && peer.Relay !== '')
  const found = PEERS.map((name) => peers.find((peer) => labelOf(peer) === name))
  return found.every((peer) => peer !== undefined) ? found : undefined
}

function labelOf(peer: PeerStatus): string {
  return peer.DNSName.split('.')[0] ?? ''
}

function ipOf(peer: PeerStatus): string {
  return peer.TailscaleIPs?.[0] ?? ''
}

function msText(seconds: number): string {
  return `${(seconds * 1000).toFixed(1)} ms`
}

function pathText(pong: PingResult): string {
  return pong.Endpoint === '' ? `relayed through ${pong.DERPRegionCode}` : `direct to ${pong.Endpoint}`
}
