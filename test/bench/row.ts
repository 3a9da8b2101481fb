/**
 * What a benchmark prints: one row of JSON a line, ours beside the real peer, both measured in turns in the same run.
 * `ratio` is ours ÷ peer of the medians; `worst_ratio` is the worst of the single pairs.
 */

export interface Sample {
  value: number
  /** Processor seconds of both ends, per 10^9 bytes. */
  cpuSecPerGb?: number
  /** Highest resident memory of either end so far, in MB. */
  rssMb?: number
}

export interface Row {
  name: string
  better: 'higher' | 'lower'
  ours: number
  peer: number
  unit: string
  ratio: number
  runs: number
  worst_ratio: number
  p95?: number
  peer_p95?: number
  cpu_s_per_gb?: number
  peer_cpu_s_per_gb?: number
  rss_mb?: number
  peer_rss_mb?: number
  [field: string]: unknown
}

export interface Comparison {
  name: string
  better: 'higher' | 'lower'
  unit: string
  pairs: number
  ours: (pair: number) => Promise<Sample>
  peer: (pair: number) => Promise<Sample>
  /** The row has the 95th percentiles too. */
  tails?: boolean
  /** Fields added to the row. */
  extra?: Record<string, unknown>
}

/** The middle of the values (the mean of the two middle ones). NaN without any. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = Math.floor(sorted.length / 2)
  const upper = sorted[half] ?? NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? NaN) + upper) / 2
}

/** The value that 95 of 100 do not exceed: the nearest rank. NaN without any. */
function percentile95(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1] ?? NaN
}

/** Runs ours and the peer in turns, the first of a pair alternating, and returns the row. */
export async function compare(comparison: Comparison): Promise<Row> {
  const { name, better, unit, pairs } = comparison
  const ours: Sample[] = []
  const peer: Sample[] = []
  for (let pair = 0; pair < pairs; pair++) {
    const turns = [async () => ours.push(await comparison.ours(pair)), async () => peer.push(await comparison.peer(pair))]
    if (pair % 2 === 1) turns.reverse()
    for (const turn of turns) await turn()
    console.error(`${name} ${pair + 1}/${pairs}: ours ${round(ours.at(-1)?.value)} peer ${round(peer.at(-1)?.value)} ${unit}`)
  }
  const { tails = false, extra = {} } = comparison
  return rowOf({ name, better, unit, tails, extra }, ours, peer)
}

/** Makes a row of samples that were taken in turns. */
export function rowOf(
  about: { name: string; better: 'higher' | 'lower'; unit: string; tails?: boolean; extra?: Record<string, unknown> },
  ours: readonly Sample[],
  peer: readonly Sample[],
): Row {
  const values = (samples: readonly Sample[]): number[] => samples.map(({ value }) => value)
  const ratios = ours.map((sample, pair) => sample.value / (peer[pair]?.value ?? NaN))
  return {
    name: about.name,
    better: about.better,
    ours: round(median(values(ours))),
    peer: round(median(values(peer))),
    unit: about.unit,
    ratio: round(median(values(ours)) / median(values(peer))),
    runs: ours.length,
    worst_ratio: round(about.better === 'higher' ? Math.min(...ratios) : Math.max(...ratios)),
    ...(about.tails === true ? { p95: round(percentile95(values(ours))), peer_p95: round(percentile95(values(peer))) } : {}),
    ...optional('cpu_s_per_gb', ours.map(({ cpuSecPerGb }) => cpuSecPerGb)),
    ...optional('peer_cpu_s_per_gb', peer.map(({ cpuSecPerGb }) => cpuSecPerGb)),
    ...optional('rss_mb', ours.map(({ rssMb }) => rssMb)),
    ...optional('peer_rss_mb', peer.map(({ rssMb }) => rssMb)),
    ...about.extra,
  }
}

function optional(name: string, values: readonly (number | undefined)[]): Record<string, number> {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? {} : { [name]: round(name.endsWith('rss_mb') ? Math.max(...known) : median(known)) }
}

/** Four significant digits. */
export function round(value: number | undefined): number {
  return Number((value ?? NaN).toPrecision(4))
}

/** Prints one row on standard output. */
export function print(row: Row): void {
  console.log(JSON.stringify(row))
}
