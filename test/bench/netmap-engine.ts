/**
 * The engine that `netmap` measures: a whole one, add-on and all, in a process of its own that answers its parent.
 *
 *   parent → { ask: 'heap' | 'cpu' | 'loop-start' | 'loop-end' | 'stop' }     → parent { ready } | { heapMb, rssMb } | { cpuMs } | { p99Ms, maxMs } | {}
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { startEngine } from '../../main/engine/daemon.ts'

const LOOP_RESOLUTION_MS = 1

export type Question = { readonly ask: 'heap' | 'cpu' | 'loop-start' | 'loop-end' | 'stop' }

const [stateDir, socketPath] = process.argv.slice(2) as [string, string]
const engine = await startEngine({
  stateDir, statePath: undefined, socketPath, port: 0, socks5: undefined, httpProxy: undefined, configPath: undefined, verbose: 0,
  debug: undefined, noLogsNoSupport: true, env: {}, interfaces: () => [], log: () => {},
})
const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })

process.on('message', ({ ask }: Question) => {
  switch (ask) {
    case 'heap':
      for (let i = 0; i < 4; i++) globalThis.gc?.()
      return void process.send!({ heapMb: process.memoryUsage().heapUsed / 1e6, rssMb: process.memoryUsage().rss / 1e6 })
    case 'cpu': {
      const { user, system } = process.threadCpuUsage()
      return void process.send!({ cpuMs: (user + system) / 1000 })
    }
    case 'loop-start':
      loop.enable()
      return void process.send!({})
    case 'loop-end':
      loop.disable()
      // The histogram holds the time between looks, so a loop that is never late shows the resolution.
      return void process.send!({ p99Ms: loop.percentile(99) / 1e6 - LOOP_RESOLUTION_MS, maxMs: loop.max / 1e6 - LOOP_RESOLUTION_MS })
    case 'stop':
      return void engine.stop().then(() => process.exit(0))
  }
})
process.send!({ ready: true })
