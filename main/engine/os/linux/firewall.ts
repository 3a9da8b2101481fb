/**
 * Puts the firewall's plan on: nft where it is, else iptables-restore, else nothing and says so. Remembers what the kernel made of it, so
 * that a flush by somebody else is seen.
 */
import { EngineError, errorText } from '../../base/errors.ts'
import type { MachineRoutes } from '../../core/plan/machine.ts'
import { foreignChains, openDoors, readDoors, shutDoors, wantedDoors, type ForeignChain } from './doors.ts'
import { nftRules, NFT_REMOVAL, NFT_TABLE, type FirewallFacts } from './firewall-plan.ts'
import { iptablesRemoval, iptablesRules, ownIptables } from './iptables-plan.ts'
import type { Ended, LinuxProgram, Problem, RouterResult, RunProgram } from './ports.ts'

export interface FirewallDone {
  readonly kind: RouterResult['firewall']
  readonly problems: readonly Problem[]
}

const TOOLS = { 4: ['iptables-restore', 'iptables-save'], 6: ['ip6tables-restore', 'ip6tables-save'] } as const
const ROUTES_ALONE = 'routes alone keep traffic in the tunnel, which programs that choose a network card by themselves get around, and nobody stops spoofed tunnel addresses'

export class LinuxFirewall {
  readonly #run: RunProgram
  /** What was given to nft last, and how nft shows it. */
  #given = ''
  #shown = ''
  /** What iptables-save told of ours after it was given. */
  #shownIptables = ''
  #kind: FirewallDone['kind'] = 'none'
  #mayHaveIptables = true
  /** Chains that their owner lets nobody change. */
  readonly #owned = new Set<string>()

  constructor(run: RunProgram) {
    this.#run = run
  }

  /** The firewall of a wish. Rejects where what is there could not be changed; a system without any is no fault but a problem. */
  async set(want: MachineRoutes, facts: FirewallFacts, hasV6: boolean): Promise<FirewallDone> {
    const done = await this.#set(want, facts, hasV6)
    this.#kind = done.kind
    if (done.kind === 'iptables') this.#mayHaveIptables = true
    return done
  }

  async #set(want: MachineRoutes, facts: FirewallFacts, hasV6: boolean): Promise<FirewallDone> {
    if (want.netfilter !== 'on') await this.#removeNft()
    if (want.netfilter === 'off') {
      await this.#removeIptables()
      return { kind: 'off', problems: want.internet === 'direct' ? [] : [{ code: 'firewall-off', text: `The firewall is switched off by preference: ${ROUTES_ALONE}.` }] }
    }
    if (want.netfilter === 'nodivert') return (await this.#setIptables(want, facts, hasV6)) ?? missing('iptables-restore, which "nodivert" needs, is not installed')
    try {
      await this.#setNft(want, facts)
    } catch (error) {
      const other = await this.#setIptables(want, facts, hasV6)
      if (other) return other
      if (error instanceof EngineError && error.code === 'not-found') return missing('neither nft nor iptables-restore is installed')
      throw error
    }
    // An engine before this one may have had no nft.
    if (this.#mayHaveIptables) await this.#removeIptables()
    this.#mayHaveIptables = false
    return { kind: 'nftables', problems: await this.#setDoors(want) }
  }

  async #setNft(want: MachineRoutes, facts: FirewallFacts): Promise<void> {
    const text = nftRules(want, facts)
    if (text === this.#given && this.#shown !== '' && (await this.#show()) === this.#shown) return
    await this.#nft(text)
    this.#given = text
    this.#shown = await this.#show()
  }

  /** Whether the table or a door is missing or was changed; also when the plan for what is there now is another. */
  async isDisturbed(want: MachineRoutes): Promise<boolean> {
    if (this.#kind === 'iptables') return this.#isIptablesDisturbed(want)
    if (this.#kind !== 'nftables') return false
    if (this.#shown === '' || (await this.#show()) !== this.#shown) return true
    return (await this.#doorLines(want)).lines.length > 0
  }

  /** Takes all of ours away; answers whether there was something. */
  async remove(): Promise<boolean> {
    const hadTable = await this.#removeNft()
    return (await this.#removeIptables()) || hadTable
  }

  /** Takes only the doors in firewalls of others away; answers whether there was one. */
  async shut(): Promise<boolean> {
    const { chains } = await this.#doors()
    const lines = chains.flatMap(({ chain, doors }) => shutDoors(chain, doors))
    if (lines.length > 0) await this.#nft(lines.join('\n'))
    return lines.length > 0
  }

  /** Packets that were dropped: with a spoofed address, and because they would have left beside the tunnel. */
  async dropped(): Promise<{ readonly spoofed: number; readonly held: number }> {
    const { out } = await this.#ask('nft', ['list', 'counters', 'table', ...NFT_TABLE.split(' ')])
    const of = (name: string): number => Number(new RegExp(`counter ${name} \\{\\s*packets (\\d+)`).exec(out)?.[1] ?? 0)
    return { spoofed: of('spoofed'), held: of('held') }
  }

  async #removeNft(): Promise<boolean> {
    this.#given = this.#shown = ''
    const listing = await this.#ask('nft', ['list', 'chains'])
    if (listing.code !== 0) return false
    const had = listing.out.includes(`table ${NFT_TABLE} {`)
    const opened = await this.shut()
    if (had) await this.#nft(NFT_REMOVAL)
    return had || opened
  }

  async #setDoors(want: MachineRoutes): Promise<Problem[]> {
    this.#owned.clear()
    const { lines, chains } = await this.#doorLines(want)
    const whole = lines.length === 0 ? undefined : await this.#ask('nft', ['-f', '-'], lines.join('\n'))
    if (whole === undefined || whole.code === 0) return []
    for (const { chain, own } of chains) {
      const end = own.length === 0 ? undefined : await this.#ask('nft', ['-f', '-'], own.join('\n'))
      if (end !== undefined && end.code !== 0 && !/no such file/i.test(end.err)) this.#owned.add(`${chain.family} ${chain.table}`)
    }
    return [...this.#owned].map((table) => ({ code: 'firewall-foreign', text: `The firewall table "${table}" belongs to a program that lets nobody else change it; it may drop packets of the tunnel. Let interface ${want.device} in there.` }))
  }

  async #doorLines(want: MachineRoutes): Promise<{ lines: string[]; chains: { chain: ForeignChain; own: string[] }[] }> {
    const { chains } = await this.#doors()
    const planned = chains.filter(({ chain }) => !this.#owned.has(`${chain.family} ${chain.table}`)).map(({ chain, doors }) => ({ chain, own: openDoors(chain, doors, wantedDoors(want, chain.hook)) }))
    return { lines: planned.flatMap(({ own }) => own), chains: planned }
  }

  async #doors(): Promise<{ chains: { chain: ForeignChain; doors: ReturnType<typeof readDoors> }[] }> {
    const listing = await this.#ask('nft', ['list', 'chains'])
    const chains: { chain: ForeignChain; doors: ReturnType<typeof readDoors> }[] = []
    for (const chain of foreignChains(listing.out)) {
      const { out } = await this.#ask('nft', ['--stateless', '--handle', 'list', 'chain', chain.family, chain.table, chain.chain])
      chains.push({ chain, doors: readDoors(out) })
    }
    return { chains }
  }

  async #setIptables(want: MachineRoutes, facts: FirewallFacts, hasV6: boolean): Promise<FirewallDone | undefined> {
    const problems: Problem[] = []
    for (const family of [4, 6] as const) {
      const [restore, save] = TOOLS[family]
      const saved = await this.#ask(save, [])
      if (saved.code === 0) {
        const end = await this.#ask(restore, ['--noflush'], iptablesRules(want, facts, family, saved.out))
        if (end.code === 0) continue
        if (family === 4) throw new EngineError('io', `${restore} failed: ${end.err.trim().slice(0, 300)}`)
        if (hasV6) problems.push({ code: 'firewall-no-ipv6', text: `The firewall could not be set for IPv6 (${restore}: ${end.err.trim().slice(0, 200)}): ${ROUTES_ALONE}.` })
      } else if (family === 4) return undefined
      else if (hasV6) problems.push({ code: 'firewall-no-ipv6', text: `${save} is not installed: for IPv6 ${ROUTES_ALONE}.` })
    }
    this.#shownIptables = await this.#showIptables(want)
    return { kind: 'iptables', problems }
  }

  /** "" when it cannot be had. */
  async #showIptables({ netfilter }: MachineRoutes): Promise<string> {
    const all = await Promise.all([TOOLS[4], TOOLS[6]].map(([, save]) => this.#ask(save, [])))
    return all[0]!.code === 0 ? all.map(({ code, out }) => (code === 0 ? ownIptables(out, netfilter === 'on') : '')).join('\n\n') : ''
  }

  async #isIptablesDisturbed(want: MachineRoutes): Promise<boolean> {
    const now = await this.#showIptables(want)
    return now !== '' && now !== this.#shownIptables
  }

  async #removeIptables(): Promise<boolean> {
    let had = false
    for (const [restore, save] of [TOOLS[4], TOOLS[6]]) {
      const saved = await this.#ask(save, [])
      const text = saved.code === 0 ? iptablesRemoval(saved.out) : ''
      if (text === '') continue
      had = true
      const end = await this.#ask(restore, ['--noflush'], text)
      if (end.code !== 0) throw new EngineError('io', `${restore} failed: ${end.err.trim().slice(0, 300)}`)
    }
    return had
  }

  async #show(): Promise<string> {
    const { code, out } = await this.#ask('nft', ['--stateless', 'list', 'table', ...NFT_TABLE.split(' ')])
    return code === 0 ? out : ''
  }

  async #nft(text: string): Promise<void> {
    const { code, err } = await this.#run('nft', ['-f', '-'], { input: text })
    if (code !== 0) throw new EngineError(/not permitted/i.test(err) ? 'access-denied' : 'io', `nft failed: ${err.trim().slice(0, 300)}`)
  }

  /** A missing program is an answer too. */
  async #ask(program: LinuxProgram, words: readonly string[], input?: string): Promise<Ended> {
    try {
      return await this.#run(program, words, input === undefined ? {} : { input })
    } catch (error) {
      return { code: undefined, out: '', err: errorText(error) }
    }
  }
}

function missing(why: string): FirewallDone {
  return { kind: 'none', problems: [{ code: 'firewall-missing', text: `There is no firewall to use (${why}): ${ROUTES_ALONE}.` }] }
}
