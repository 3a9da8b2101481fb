/**
 * Whether traffic really leaves at the exit node in use: looked at, never guessed, and without asking anybody who is no part of
 * the network.
 *
 *   ipv4, ipv6   a relay of the network's own map is asked through the exit node where it sees us (STUN)
 *   names        a name of the network's own servers is looked up as any other
 *   leak         what the proxies let out since the exit node is used, each judged again by its address; and while the whole computer is on the
 *                network, whether routes and firewall are in force that keep every program in
 *
 * What could not be looked at says so and has no verdict. Another exit node, or none: everything is forgotten.
 */
import type { Env } from '../base/env.ts'
import { equal } from '../base/bytes.ts'
import { errorText, isDecodeError } from '../base/errors.ts'
import { isIp4, isLoopbackIp, isTailscaleIp, parseIp } from '../base/ip.ts'
import { addressesOf } from '../core/plan/names.ts'
import { DIRECT } from '../core/plan/egress.ts'
import type { Egress } from '../core/plan/egress.ts'
import { decodeStunResponse, encodeStunRequest, STUN_DEFAULT_PORT, STUN_TX_ID_BYTES } from '../core/stun/stun.ts'
import type { DerpNode } from '../core/tailcfg/types.ts'
import type { ExitProof } from '../../localapi/exit-nodes.ts'
import type { MachinePage } from '../../localapi/machine.ts'
import type { Model } from './model.ts'
import type { BackendDeps, DataplanePort, DnsResolverPort, ProxyAnswer } from './ports.ts'
import { isBeyond } from './proxy-names.ts'
import type { NameContext } from './proxy-names.ts'

const ANSWER_MS = 1500
const TRIES = 2
/** Relays asked at once in each family. */
const MAX_RELAYS = 3
/** An exit node that was only just chosen has its tunnel first. */
const FIRST_LOOK_MS = 1000

export interface ExitProofsDeps {
  readonly env: Env
  readonly model: Model
  readonly dataplane: Pick<DataplanePort, 'udpExchange'>
  readonly dns: Pick<DnsResolverPort, 'lookup' | 'plan'>
  readonly machine?: BackendDeps['machine']
}

type Looked = Omit<ExitProof, 'What' | 'At'>

export class ExitProofs {
  readonly #deps: ExitProofsDeps
  readonly #listeners: (() => void)[] = []
  #egress: Egress = DIRECT
  #sinceWallMs = 0
  #found: readonly ExitProof[] = []
  #tally = { through: 0, near: 0, past: 0 }
  /** What was said of the computer's guard, and since when. */
  #guard: { readonly text: string | undefined; readonly sinceWallMs: number } = { text: undefined, sinceWallMs: 0 }
  #isLooking = false
  #cancel: (() => void) | undefined

  constructor(deps: ExitProofsDeps) {
    this.#deps = deps
  }

  /** Calls after each look. */
  onChange(call: () => void): void {
    this.#listeners.push(call)
  }

  /** Where traffic goes now; another exit node is looked at by itself. */
  handleEgress(egress: Egress): void {
    const id = (one: Egress): string => (one.kind === 'exit' ? one.id : '')
    if (id(egress) === id(this.#egress)) return
    const { clock } = this.#deps.env
    this.#egress = egress
    this.#found = []
    this.#tally = { through: 0, near: 0, past: 0 }
    this.#sinceWallMs = clock.wallMs()
    this.#cancel?.()
    this.#cancel = egress.kind === 'exit' ? clock.after(FIRST_LOOK_MS, () => this.check()) : undefined
  }

  /** What the proxies were told. */
  noteAnswer(answer: ProxyAnswer, context: NameContext): void {
    if (this.#egress.kind !== 'exit' || (answer.kind !== 'tunnel' && answer.kind !== 'system')) return
    const beyond = answer.addresses.filter((ip) => isBeyond(ip, context))
    if (answer.kind === 'system' && beyond.length > 0) this.#tally.past++
    else if (answer.kind === 'system' && answer.addresses.some((ip) => !isLoopbackIp(ip))) this.#tally.near++
    else if (beyond.length > 0) this.#tally.through++
  }

  /** Looks anew; does nothing while no exit node is used or a look is under way. */
  check(): void {
    const egress = this.#egress
    if (egress.kind !== 'exit' || this.#isLooking) return
    this.#isLooking = true
    void this.#look(egress)
      .catch((error: unknown) => this.#deps.env.log.warn('the exit node could not be checked', { error: errorText(error) }))
      .finally(() => {
        this.#isLooking = false
        for (const call of this.#listeners) call()
      })
  }

  /** All four, as far as they were looked at. */
  all(): readonly ExitProof[] {
    return this.#egress.kind === 'exit' ? [...this.#found, this.#leak()] : []
  }

  stop(): void {
    this.#cancel?.()
    this.#listeners.length = 0
  }

  async #look(egress: Extract<Egress, { kind: 'exit' }>): Promise<void> {
    const { env } = this.#deps
    const [v4, v6, names] = await Promise.all([this.#seenAs(4), this.#seenAs(6), this.#names()])
    if (this.#egress.kind !== 'exit' || this.#egress.id !== egress.id) return
    const At = new Date(env.clock.wallMs()).toISOString()
    this.#found = [{ What: 'ipv4', ...v4, At }, { What: 'ipv6', ...v6, At }, { What: 'names', ...names, At }]
    env.journal.add({ part: 'exit-node', kind: 'checked', why: 'looked where traffic leaves', id: egress.id, ipv4: v4.Value, ipv6: v6.Value, names: names.Value })
  }

  /** Our address as relays see it through the exit node; the first answer counts. */
  async #seenAs(family: 4 | 6): Promise<Looked> {
    const { netMap } = this.#deps.model
    const hasOwn = netMap !== undefined && addressesOf(netMap.self).some((ip) => isIp4(ip) === (family === 4))
    if (!hasOwn) return { Value: `not used: this device has no IPv${family} address in the network, so none of it goes out` }
    const nodes = Object.values(netMap.derpMap.Regions).flatMap((region) => region.Nodes ?? []).filter((node) => (node.STUNPort ?? 0) >= 0)
    const targets = nodes.flatMap((node) => addressOf(node, family) ?? []).slice(0, MAX_RELAYS)
    if (targets.length === 0) return { Value: `not checked: no relay of the network has an IPv${family} address to ask` }
    try {
      return await Promise.any(targets.map(async ({ ip, port, name }): Promise<Looked> => ({ Ok: true, Value: `${await this.#askStun(ip, port)}, seen by the relay ${name}` })))
    } catch {
      return { Value: `not known: no relay answered by IPv${family} through it` }
    }
  }

  async #askStun(ip: string, port: number): Promise<string> {
    const { dataplane, env } = this.#deps
    let failure: unknown
    for (let left = TRIES; left > 0; left--) {
      const txId = env.random.bytes(STUN_TX_ID_BYTES)
      try {
        const answer = decodeStunResponse(await dataplane.udpExchange(ip, port, encodeStunRequest(txId), ANSWER_MS))
        if (!isDecodeError(answer) && equal(answer.txId, txId)) return answer.mapped.ip
      } catch (error) {
        failure = error
      }
    }
    throw failure ?? new Error('no answer')
  }

  async #names(): Promise<Looked> {
    const { dns, model } = this.#deps
    const { rest } = dns.plan
    if (rest.kind === 'blocked' || rest.kind === 'system') return { Value: `not looked up: ${rest.why}` }
    const host = [hostOf(model.saved.prefs.ControlURL), ...Object.values(model.netMap?.derpMap.Regions ?? {}).flatMap((region) => (region.Nodes ?? []).map((node) => node.HostName))]
      .find((name) => name !== '' && parseIp(name) === undefined && name.includes('.'))
    if (host === undefined) return { Value: `not checked: no server of the network has a name to ask for (${rest.why})` }
    try {
      return { Ok: true, Value: (await dns.lookup(host)).why }
    } catch (error) {
      return { Ok: false, Value: errorText(error) }
    }
  }

  #leak(): ExitProof {
    const { through, near, past } = this.#tally
    const At = new Date(this.#sinceWallMs).toISOString()
    const local = near > 0 ? `, ${near} to the local network` : ''
    if (past > 0) return { What: 'leak', Ok: false, Value: `${past} connections of the proxies went past it`, At }
    const guard = guardOf(this.#deps.machine?.())
    if (guard?.text !== this.#guard.text) this.#guard = { text: guard?.text, sinceWallMs: this.#deps.env.clock.wallMs() }
    if (guard?.isWhole === true) return { What: 'leak', Ok: true, Value: guard.text, At: new Date(this.#guard.sinceWallMs).toISOString() }
    if (guard) return { What: 'leak', Value: guard.text }
    if (through === 0) return { What: 'leak', Value: `no connection was asked of the proxies yet${local}`, At }
    return { What: 'leak', Ok: true, Value: `${through} connections of the proxies through it, none past it${local}; programs that do not use the proxies are not seen`, At }
  }
}

/** What is ours in the network of the computer and not as it should be, where it bears on what gets out. */
const WEAK = /^(firewall|guard|rules|routes|tun)-/

/** Whether every program is kept in by routes and firewall; undefined while the computer is not on the network as a whole. */
function guardOf(page: MachinePage | undefined): { readonly isWhole: boolean; readonly text: string } | undefined {
  if (page === undefined || page.Mode !== 'whole' || page.State === 'off' || page.State === 'failed') return undefined
  if (page.State !== 'on' || page.Internet !== 'exit') return { isWhole: false, text: 'not known: routes and firewall of this computer are not in force yet' }
  const weak = page.Problems.find(({ Code }) => WEAK.test(Code))
  if (weak) return { isWhole: false, text: `not known: ${weak.Text}` }
  if (page.Firewall === 'none' || page.Firewall === 'off') return { isWhole: false, text: 'not known: no firewall keeps programs in, the routes alone do' }
  const local = page.Bypass.length === 0 ? '' : `; these go past it, as allowed: ${page.Bypass.slice(0, 3).join(', ')}${page.Bypass.length > 3 ? ` and ${page.Bypass.length - 3} more` : ''}`
  return { isWhole: true, text: `every program of this computer: routes and firewall (${page.Firewall}) keep it in${local}` }
}

function addressOf(node: DerpNode, family: 4 | 6): { readonly ip: string; readonly port: number; readonly name: string } | undefined {
  const ip = [family === 4 ? node.IPv4 : node.IPv6, node.HostName].find((text) => text !== undefined && parseIp(text) !== undefined && isIp4(text) === (family === 4))
  if (ip === undefined || isLoopbackIp(ip) || isTailscaleIp(ip)) return undefined
  return { ip, port: node.STUNPort !== undefined && node.STUNPort > 0 ? node.STUNPort : STUN_DEFAULT_PORT, name: node.Name }
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : ''
}
