/**
 * A computer of its own kernel's view: a network namespace with a LAN card to a second one, "world", and a program in it that holds the
 * Linux router. The tunnel device is a plain one without anybody behind it.
 *
 *   world eth0 192.168.70.1, 2001:db8:70::1 ── eth0 192.168.70.2, 2001:db8:70::2 computer, tunnel 100.64.0.1
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { rolldown } from 'rolldown'
import type { MachineRoutes } from '../../main/engine/core/plan/machine.ts'
import type { RouterResult } from '../../main/engine/os/linux/ports.ts'
import { run, runOk } from '../support/child.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'

export const PATIENT = { withinMs: 60_000, everyMs: 50 }
export const WANT: MachineRoutes = {
  device: 'bowline0', mtu: 1280, addresses: ['100.64.0.1/32', 'fd7a:115c:a1e0::1/128'], routes: ['100.100.100.100/32', '100.64.0.2/32', 'fd7a:115c:a1e0::/48'], bypass: [],
  internet: 'direct', allowLan: false, guardNames: false, forward: undefined, netfilter: 'on', udpPort: 41_641, guardRange: true,
}
export const EXIT: MachineRoutes = { ...WANT, routes: ['0.0.0.0/0', ...WANT.routes, '::/0'], internet: 'exit' }

/** One holder of the router, a process that may be killed. */
export class Holder {
  readonly #child: ChildProcess
  readonly #answers = new Map<number, (answer: { value?: unknown; code?: string; message?: string }) => void>()
  readonly disturbed: { code: string; text: string }[] = []
  log = ''
  #next = 1
  #isReady = false

  constructor(prefix: readonly string[], program: string, runtimeDir: string) {
    const words = [...prefix, process.execPath, program, runtimeDir]
    this.#child = spawn(words[0]!, words.slice(1), { stdio: ['pipe', 'pipe', 'pipe'], cwd: fileURLToPath(new URL('../..', import.meta.url)) })
    this.#child.stderr!.on('data', (bytes: Buffer) => (this.log += bytes.toString()))
    this.#child.stdin!.on('error', () => {})
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const said = JSON.parse(line) as { ready?: true; id?: number; disturbed?: { code: string; text: string }; code?: string; message?: string }
      if (said.ready) this.#isReady = true
      else if (said.disturbed) this.disturbed.push(said.disturbed)
      else this.#answers.get(said.id!)?.(said)
    })
  }

  async ready(): Promise<this> {
    await waitFor('the router to be there', () => {
      if (this.#child.exitCode !== null) throw new Error(this.log)
      return this.#isReady
    }, PATIENT)
    return this
  }

  async call<T>(call: string, arg?: unknown): Promise<T> {
    const id = this.#next++
    const answer = await new Promise<{ value?: unknown; code?: string; message?: string }>((resolve) => {
      this.#answers.set(id, resolve)
      this.#child.stdin!.write(`${JSON.stringify({ id, call, arg })}\n`)
    })
    if (answer.code !== undefined) throw Object.assign(new Error(answer.message), { code: answer.code })
    return answer.value as T
  }

  set(want: MachineRoutes): Promise<RouterResult> {
    return this.call('set', want)
  }

  /** SIGKILL, and nothing of it is left. */
  async kill(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL')
      await ended
    }
  }
}

export class RouterLab {
  readonly folder = makeTempDir('router')
  readonly computer = `bwlr${process.pid}c`
  readonly world = `bwlr${process.pid}w`
  readonly holders: Holder[] = []
  #program = ''
  #rooms = 0

  async start(): Promise<void> {
    this.#program = join(this.folder, 'driver.mjs')
    const made = await rolldown({ input: fileURLToPath(new URL('../support/router-driver.ts', import.meta.url)), platform: 'node', external: [/^node:/, /\.node$/], logLevel: 'warn' })
    await made.write({ file: this.#program, format: 'esm', codeSplitting: false })
    await made.close()
    // The add-on is looked for beside a bundle.
    await runOk('ln', ['-s', fileURLToPath(new URL('../../native', import.meta.url)), join(this.folder, 'native')])
  }

  /** A fresh computer beside a fresh world. */
  async reset(): Promise<void> {
    await this.clear()
    await this.#ip(`netns add ${this.computer}`, `netns add ${this.world}`, `-n ${this.computer} link add eth0 type veth peer name eth0 netns ${this.world}`)
    for (const [name, host] of [[this.computer, 2], [this.world, 1]] as const) {
      await this.#ip(`-n ${name} link set lo up`, `-n ${name} address add 192.168.70.${host}/24 dev eth0`, `-n ${name} address add 2001:db8:70::${host}/64 dev eth0 nodad`, `-n ${name} link set eth0 up`)
    }
    await this.#ip(`-n ${this.computer} route add default via 192.168.70.1`, `-n ${this.computer} route add default via 2001:db8:70::1`)
    // What the world answers for.
    await this.#ip(`-n ${this.world} address add 198.51.100.9/32 dev lo`, `-n ${this.world} address add 2001:db8:99::9/128 dev lo nodad`)
    await this.addDevice()
  }

  addDevice(): Promise<void> {
    return this.#ip(`-n ${this.computer} tuntap add bowline0 mode tun`)
  }

  /** The same computer's commands; `how` goes before, such as what hides a program. */
  prefix(...how: string[]): string[] {
    return ['ip', 'netns', 'exec', this.computer, ...how]
  }

  async hold(...how: string[]): Promise<Holder> {
    const holder = new Holder(this.prefix(...how), this.#program, join(this.folder, `run${this.#rooms}`))
    this.holders.push(holder)
    return holder.ready()
  }

  /** Output of a shell command on the computer; rejects when it fails. */
  sh(command: string, where = this.computer): Promise<string> {
    return runOk('ip', ['netns', 'exec', where, 'sh', '-c', command])
  }

  /** Whether a shell command succeeds. */
  async can(command: string): Promise<boolean> {
    return (await run('ip', ['netns', 'exec', this.computer, 'sh', '-c', command])).code === 0
  }

  /** Rules, our table, and the whole firewall, without what moves by itself. */
  async seen(): Promise<string> {
    return this.sh('ip -4 rule; ip -6 rule; ip -4 route show table 52 2>&1 | grep -v "FIB table\\|terminated"; ip -6 route show table 52 2>&1 | grep -v "FIB table\\|terminated"; nft -s list ruleset; sysctl net.ipv4.ip_forward net.ipv4.conf.all.src_valid_mark net.ipv6.conf.all.forwarding; sysctl -a 2>/dev/null | grep "eth.*accept_ra "; ip address show bowline0 | grep "inet.*global" || true')
  }

  /** As after a start of the machine that did not empty the folder, or by a careless hand. */
  async forgetRuntime(): Promise<void> {
    await run('sh', ['-c', `rm -f '${join(this.folder, `run${this.#rooms}`)}'/*.json`])
  }

  /** From now on: how many packets to addresses that are not neighbours' talk have come to the world; a fresh answer at every call. */
  async countAtWorld(): Promise<() => Promise<{ v4: number; v6: number }>> {
    await this.sh(`nft -f - <<'END'
table inet count {
  counter v4 { }
  counter v6 { }
  chain prerouting { type filter hook prerouting priority -300; iifname "eth0" ip protocol != igmp counter name v4; iifname "eth0" meta nfproto ipv6 icmpv6 type != { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report } counter name v6; iifname "eth0" meta nfproto ipv6 meta l4proto != ipv6-icmp counter name v6; }
}
END`, this.world)
    return async () => {
      const text = await this.sh('nft list counters table inet count', this.world)
      const of = (name: string): number => Number(new RegExp(`counter ${name} \\{\\s*packets (\\d+)`).exec(text)![1])
      return { v4: of('v4'), v6: of('v6') }
    }
  }

  /** Sends datagrams to these places again and again, bound to the card and not; the answer ends it and says how many tries there were. */
  keepSending(targets: readonly string[]): () => Promise<number> {
    const script = `let n = 0; const d = require('dgram'); const targets = ${JSON.stringify(targets)}
      for (const to of targets) { const s = d.createSocket(to.includes(':') ? 'udp6' : 'udp4'); s.on('error', () => {}); setInterval(() => { n++; s.send('x', 4242, to, () => {}) }, 5) }
      process.stdin.on('end', () => { console.log(n); process.exit(0) }).resume()`
    const child = spawn('ip', ['netns', 'exec', this.computer, process.execPath, '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
    const bound = targets.map((to) => spawn('ip', ['netns', 'exec', this.computer, 'ping', '-i', '0.01', '-I', 'eth0', to], { stdio: 'ignore' }))
    let out = ''
    child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()))
    const closed = new Promise((resolve) => child.once('close', resolve))
    return async () => {
      for (const one of bound) one.kill('SIGKILL')
      child.stdin.end()
      await closed
      return Number(out)
    }
  }

  async clear(): Promise<void> {
    this.#rooms++
    for (const holder of this.holders.splice(0)) await holder.kill()
    for (const name of [this.computer, this.world]) await run('ip', ['netns', 'del', name])
  }

  async stop(): Promise<void> {
    await this.clear()
    removeTempDir(this.folder)
  }

  async #ip(...commands: string[]): Promise<void> {
    for (const command of commands) await runOk('ip', command.split(' '))
  }
}
