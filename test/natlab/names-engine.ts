/**
 * The part of the engine that sets a computer's names, as a program inside a host of the lab. Does what the lines of a file ask, one JSON
 * value each, as they are added; says what became of it, and what it was told meanwhile, in lines of JSON.
 *
 *   names-engine.ts COMMANDS       { "set": MachineDns | null }   { "cleanUp": true }   { "own": true }
 */
import { readFileSync } from 'node:fs'
import type { Env } from '../../main/engine/base/env.ts'
import { errorText } from '../../main/engine/base/errors.ts'
import { silentLog } from '../../main/engine/base/log.ts'
import type { MachineDns } from '../../main/engine/core/plan/machine.ts'
import { SystemClock } from '../../main/engine/io/clock.ts'
import { systemRandom } from '../../main/engine/io/random.ts'
import { findProgram, runProgram } from '../../main/engine/io/run-program.ts'
import { LinuxDns } from '../../main/engine/os/linux/dns.ts'

interface Command {
  readonly set?: MachineDns | null
  readonly cleanUp?: boolean
}

const say = (line: Readonly<Record<string, unknown>>): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
const env: Env = { clock: new SystemClock(), random: systemRandom, log: silentLog, journal: { add: (entry) => say({ what: 'journal', ...entry }) } }
const dns = new LinuxDns({ env, run: runProgram, findResolvconf: () => findProgram('resolvconf') })
dns.onDisturbed((what) => say({ what: 'disturbed', ...what }))
dns.onOwnChanged(() => say({ what: 'own-changed', ...dns.own() }))

async function obey({ set, cleanUp }: Command): Promise<unknown> {
  if (cleanUp === true) return await dns.cleanUp()
  if (set !== undefined) return await dns.set(set ?? undefined)
  return dns.own()
}

let done = 0
async function work(): Promise<void> {
  const lines = readFileSync(process.argv[2]!, 'utf8').split('\n').slice(0, -1)
  for (const line of lines.slice(done)) {
    done++
    await obey(JSON.parse(line) as Command).then((value) => say({ what: 'done', at: done, value }), (error: unknown) => say({ what: 'failed', at: done, why: errorText(error) }))
  }
  setTimeout(() => void work(), 20)
}

say({ what: 'ready' })
await work()
