/**
 * The benchmarks, each beside the real peer in one run: `npm run bench -- NAME [--full] [--pairs N]`. Rows of JSON on
 * standard output, one a line; progress on standard error. The names are those of the table below.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runOk } from '../support/child.ts'
import { benchConnect } from './connect.ts'
import { benchExit } from './exit.ts'
import { benchExitTun } from './exit-tun.ts'
import { benchFilter } from './filter.ts'
import { benchForward } from './forward.ts'
import { benchIdle } from './idle.ts'
import { benchIdle100 } from './idle-100.ts'
import { benchLogin } from './login.ts'
import { benchNetmap } from './netmap.ts'
import type { BenchOptions } from './options.ts'
import { benchPaths } from './paths.ts'
import { benchPipe } from './pipe.ts'
import { benchSocks } from './socks.ts'
import { benchSocksLoss } from './socks-loss.ts'
import { benchTaildrop } from './taildrop.ts'
import { benchTun } from './tun.ts'
import { benchTunLoss } from './tun-loss.ts'
import { benchUi } from './ui.ts'

const BENCHES: Readonly<Record<string, (options: BenchOptions) => Promise<void>>> = {
  socks: benchSocks,
  'socks-loss': benchSocksLoss,
  connect: benchConnect,
  exit: benchExit,
  'exit-tun': benchExitTun,
  forward: benchForward,
  idle: benchIdle,
  'idle-100': benchIdle100,
  login: benchLogin,
  pipe: benchPipe,
  filter: benchFilter,
  netmap: benchNetmap,
  paths: benchPaths,
  taildrop: benchTaildrop,
  tun: benchTun,
  'tun-loss': benchTunLoss,
  ui: benchUi,
}

/** The fewest pairs that make a row. */
const LEAST_PAIRS = 5

const root = fileURLToPath(new URL('../../', import.meta.url))

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { full: { type: 'boolean', default: false }, pairs: { type: 'string' } },
  })
  const names = positionals.length > 0 ? positionals : []
  const unknown = names.filter((name) => !(name in BENCHES))
  if (names.length === 0 || unknown.length > 0) {
    console.error(`${unknown.length > 0 ? `no benchmark is called ${unknown.join(', ')}\n` : ''}usage: npm run bench -- NAME [--full] [--pairs N]\nnames: ${Object.keys(BENCHES).join(', ')}`)
    process.exitCode = 2
    return
  }
  // The engine runs from its bundle, as people run it; a stale bundle would measure yesterday's work.
  if (existsSync(`${root}main/cli/bowline.ts`)) await runOk(process.execPath, [`${root}build/scripts/build-js.mjs`], { timeoutMs: 120_000 })
  const pairs = Number(values.pairs ?? (values.full ? LEAST_PAIRS * 2 : LEAST_PAIRS))
  for (const name of names) await BENCHES[name]?.({ full: values.full, pairs })
}

await main()
