/** What every benchmark is given. */
export interface BenchOptions {
  /** Pairs of runs, ours and the peer. */
  pairs: number
  /** Longer runs than the ten-minute default. */
  full: boolean
}
