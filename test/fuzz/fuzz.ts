/**
 * Fuzzing with seeds that can be played again: each case has random numbers of its own, made of (seed, name, case).
 *
 *   npm test                                    1,000 cases of each fuzzer, with a new seed
 *   BOWLINE_FUZZ=100000 npm test -- test/fuzz   that many
 *   BOWLINE_FUZZ_SEED=SEED:CASE …               one case again, as a failure names it; SEED alone: all cases of that seed
 *
 * What a case throws fails the test, with its seed in the message. Memory that stays in use after all cases is measured:
 * more than `growthMb` fails too.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { seededRandom } from '../sim/clock.ts'
import { Chance } from './chance.ts'

/** Cases of each fuzzer. */
export const FUZZ_CASES = Number(process.env['BOWLINE_FUZZ'] ?? 1000)
const [seedText, caseText] = (process.env['BOWLINE_FUZZ_SEED'] ?? '').split(':')
/** Of this run. */
export const FUZZ_SEED = seedText === undefined || seedText === '' ? Math.floor(Math.random() * 2 ** 31) : Number(seedText)
const ONLY = caseText === undefined ? undefined : Number(caseText)

/** Time for a test of so many cases, on a machine that is busy with other things. */
const MS_A_CASE = 100

export interface FuzzOptions {
  /** Part of the wanted cases that is run; for cases that take long. */
  readonly share?: number
  /** MB that may stay in use when all is done. */
  readonly growthMb?: number
}

/** Makes a test of many cases. */
export function fuzz(name: string, run: (chance: Chance, index: number) => void | Promise<void>, { share = 1, growthMb = 24 }: FuzzOptions = {}): void {
  const cases = Math.max(1, Math.ceil(FUZZ_CASES * share))
  test(name, async () => {
    const before = await usedMb()
    for (let index = ONLY ?? 0; index < (ONLY === undefined ? cases : ONLY + 1); index++) {
      try {
        await run(chanceOf(name, index), index)
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        throw new Error(`${why}\n\nTo play this case again: BOWLINE_FUZZ_SEED=${FUZZ_SEED}:${index}`, { cause: error })
      }
    }
    expect((await usedMb()) - before, `MB that ${cases} cases of seed ${FUZZ_SEED} left in use`).toBeLessThan(growthMb)
  }, 30_000 + cases * MS_A_CASE)
}

function chanceOf(name: string, index: number): Chance {
  let hash = FUZZ_SEED ^ Math.imul(index + 1, 0x9e3779b1)
  for (const char of name) hash = Math.imul(hash ^ char.codePointAt(0)!, 0x01000193)
  return new Chance(seededRandom(hash | 0))
}

let collect: (() => void) | undefined

/** MB of the heap and of buffers beside it that are still referred to. */
export async function usedMb(): Promise<number> {
  setFlagsFromString('--expose-gc')
  collect ??= runInNewContext('gc') as () => void
  // The memory of buffers is given back a turn after the buffers themselves.
  for (let i = 0; i < 3; i++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  return (heapUsed + Math.max(external, arrayBuffers)) / 1e6
}
