/**
 * Doors in the firewalls of others: an `accept` in our own table cannot undo a `drop` in another, so a rule of ours is put at the head of
 * every chain that may drop what comes in or is passed on. Pure: reads `nft list`, gives lines for `nft -f`.
 *
 *   looked at    base chains "type filter hook input | forward" of ip, ip6 and inet that are not ours and drop by their policy, or have the
 *                names that iptables (ufw is one of its users) and firewalld give
 *   left alone   all other rules and chains; a table that another program owns cannot be touched and is told
 *
 * Ours carry the comment "bowline" and are found again by it.
 */
import type { MachineRoutes } from '../../core/plan/machine.ts'

export interface ForeignChain {
  readonly family: 'ip' | 'ip6' | 'inet'
  readonly table: string
  readonly chain: string
  readonly hook: 'input' | 'forward'
}

const COMMENT = 'bowline'
const USUAL = new Set(['INPUT', 'FORWARD', 'filter_INPUT', 'filter_FORWARD'])
/** Names go into a command. */
const PLAIN = /^[A-Za-z][\w.-]{0,63}$/
/** So many chains of others are looked at. */
const MOST = 24

/** Chains that need a door, from `nft list chains`. */
export function foreignChains(listing: string): ForeignChain[] {
  const found: ForeignChain[] = []
  let family = ''
  let table = ''
  let chain = ''
  for (const line of listing.split('\n')) {
    const opening = /^\s*(table|chain) (?:(\w+) )?(\S+) \{/.exec(line)
    if (opening?.[1] === 'table') [family, table, chain] = [opening[2] ?? 'ip', opening[3]!, '']
    else if (opening) chain = opening[3]!
    const hook = /^\s*type filter hook (input|forward) priority [^;]+;(?: policy (\w+);)?/.exec(line)
    if (!hook || table === 'bowline' || !PLAIN.test(table) || !PLAIN.test(chain)) continue
    if (family !== 'ip' && family !== 'ip6' && family !== 'inet') continue
    if (hook[2] === 'drop' || USUAL.has(chain)) found.push({ family, table, chain, hook: hook[1] as 'input' | 'forward' })
  }
  return found.slice(0, MOST)
}

/** One rule of ours that stands in a chain. */
export interface Door {
  readonly handle: number
  readonly text: string
}

/** Rules of ours in a chain, from `nft --stateless --handle list chain`. */
export function readDoors(listing: string): Door[] {
  const found: Door[] = []
  for (const line of listing.split('\n')) {
    const match = /^\s*(.*?) comment "bowline" # handle (\d+)$/.exec(line)
    if (match) found.push({ text: match[1]!.replaceAll(/\s+/g, ' '), handle: Number(match[2]) })
  }
  return found
}

/** What should stand at the head of a chain, first one first; as nft shows it again. */
export function wantedDoors(want: MachineRoutes, hook: ForeignChain['hook']): readonly string[] {
  const from = `iifname "${want.device}" counter accept`
  return hook === 'input' ? [from, `udp dport ${want.udpPort} counter accept`] : [from, `oifname "${want.device}" counter accept`]
}

const place = ({ family, table, chain }: ForeignChain): string => `${family} ${table} ${chain}`

/** Lines that take all doors of a chain away. */
export function shutDoors(chain: ForeignChain, there: readonly Door[]): string[] {
  return there.map(({ handle }) => `delete rule ${place(chain)} handle ${handle}`)
}

/** Lines that make a chain's doors as they should be; none when they are. */
export function openDoors(chain: ForeignChain, there: readonly Door[], wanted: readonly string[]): string[] {
  const shape = (text: string): string => text.replace(/counter( packets \d+ bytes \d+)?/, 'counter')
  if (there.length === wanted.length && wanted.every((text, i) => shape(there[i]!.text) === text)) return []
  return [...shutDoors(chain, there), ...wanted.toReversed().map((text) => `insert rule ${place(chain)} ${text} comment "${COMMENT}"`)]
}
