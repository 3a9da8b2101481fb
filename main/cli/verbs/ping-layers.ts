/**
 * bowline ping --all: four kinds of ping side by side. The first layer without an answer is where to look.
 */
import type { PingResult, PingType } from '../../localapi/types.ts'
import { milliseconds } from '../words.ts'
import { PingTally, wayOf } from './ping-tally.ts'

/** Lowest first: each needs those before it. */
export const LAYERS: readonly PingType[] = ['disco', 'TSMP', 'ICMP', 'peerapi']
const NAMES: Readonly<Record<PingType, string>> = { disco: 'disco', TSMP: 'tunnel', ICMP: 'ICMP', peerapi: 'PeerAPI' }
const VERDICTS: Readonly<Record<PingType, string>> = {
  disco: 'Nothing gets there: it is offline, or neither a direct path nor a relay works.',
  TSMP: 'Packets get there, but the tunnel does not come up: perhaps it does not have our key yet.',
  ICMP: 'The tunnel works, but ICMP is not answered: the rules of the network or its firewall do not let it.',
  peerapi: 'The tunnel works, but its PeerAPI does not answer: nothing that goes by it, such as files, works.',
}

export class LayerTallies {
  readonly #tallies = new Map(LAYERS.map((type) => [type, new PingTally()]))

  /** One round; answers it as a line. */
  add(results: readonly (readonly [PingType, PingResult])[]): string {
    for (const [type, result] of results) this.#tallies.get(type)!.add(result)
    return results.map(([type, result]) => `${NAMES[type]} ${result.Err === '' ? milliseconds(result.LatencySeconds * 1_000) : '-'}`).join('   ') + way(results)
  }

  tally(type: PingType): PingTally {
    return this.#tallies.get(type)!
  }

  /** Every layer in a line of its own, then what follows from the first that did not answer. */
  words(): string {
    const lines = LAYERS.map((type) => `${`${NAMES[type]}:`.padEnd(9)}${this.tally(type).words()}`)
    const broken = this.firstBroken
    return [...lines, broken === undefined ? 'Every layer answers.' : VERDICTS[broken]].join('\n')
  }

  get firstBroken(): PingType | undefined {
    return LAYERS.find((type) => this.tally(type).answered === 0)
  }
}

function way(results: readonly (readonly [PingType, PingResult])[]): string {
  const disco = results.find(([type]) => type === 'disco')?.[1]
  return disco?.Err === '' ? `   (${wayOf(disco)})` : ''
}
