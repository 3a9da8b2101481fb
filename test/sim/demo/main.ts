/**
 * `npm run demo`: a whole tailnet on this machine, and an engine that joins it.
 *
 *   --no-window   plays a new person's first minutes through, ends with a summary, and with 0 when all held, else 1
 *   (without)     keeps running and opens the window; ends when its app is quit, or with Ctrl-C
 *   --browser     the window in the browser, even where Electron is
 *   --verbose     the engines' log lines too
 *   --app=JSON    Electron's command line; build/scripts/demo.mjs gives it where there is one
 *
 * Nothing leaves loopback, nothing needs root, and whatever way it ends nothing stays behind: one folder below the
 * system's temporary folder holds all files and sockets, and everything runs in this process.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorText } from '../../../main/engine/base/errors.ts'
import { WATCH } from '../../../main/localapi/watch-mask.ts'
import { DemoNetwork, PEERS } from './demo-network.ts'
import type { DemoEngine, StartEngine } from './demo-network.ts'
import { Screen } from './screen.ts'
import { Story } from './story.ts'
import type { StoryResult } from './story.ts'
import { openWindow, type DemoWindow } from './window.ts'

const LIMIT_MS = 60_000
const STOP_MS = 8000
const LAST_LINES = 25
const RELAYED_FIRST_MS = 15_000

interface Run {
  readonly screen: Screen
  readonly network: DemoNetwork
  readonly lastLines: string[]
  readonly folder: string
  /** Set while a window is open. */
  window: DemoWindow | undefined
}

const args = new Set(process.argv.slice(2))
const app = [...args].find((arg) => arg.startsWith('--app='))
const unknown = [...args].filter((arg) => !['--no-window', '--browser', '--verbose', '--help', app].includes(arg))
if (unknown.length > 0 || args.has('--help')) {
  for (const arg of unknown) console.error(`npm run demo: unknown flag ${arg}`)
  console.log('usage: npm run demo -- [--no-window | --browser] [--verbose]')
  process.exit(unknown.length > 0 ? 2 : 0)
}
process.exit(await main())

async function main(): Promise<number> {
  const screen = new Screen(process.stdout, process.env)
  const folder = mkdtempSync(join(tmpdir(), 'bowline-demo-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  const lastLines: string[] = []
  const log = (name: string, line: string): void => {
    lastLines.push(`${name}: ${line}`)
    if (lastLines.length > LAST_LINES) lastLines.shift()
    if (args.has('--verbose')) screen.line(`    ${name}: ${line}`)
  }
  let run: Run | undefined
  try {
    const network = new DemoNetwork({ folder, startEngine: await loadEngine(), log })
    run = { screen, network, lastLines, folder, window: undefined }
    const ending = args.has('--no-window') ? [play(run), tooLong(screen)] : [keepRunning(run)]
    const code = await Promise.race([...ending, interrupted(screen)])
    if (code !== 0) process.stdout.write('\n  Ending the demo …\n')
    return code
  } catch (error) {
    screen.line()
    screen.bad(`The demo failed: ${errorText(error)}`)
    if (!args.has('--verbose') && lastLines.length > 0) {
      screen.line('\n  The last things the engines said (all of it: --verbose):')
      for (const line of lastLines) screen.note(line)
    }
    return 1
  } finally {
    await Promise.race([stopAll(run), new Promise((done) => setTimeout(done, STOP_MS))])
  }
}

async function stopAll(run: Run | undefined): Promise<void> {
  await run?.window?.stop()
  await run?.network.stop()
}

async function loadEngine(): Promise<StartEngine> {
  const { startEngine } = await import('../../../main/engine/daemon.ts')
  return startEngine
}

async function play(run: Run): Promise<number> {
  const startMs = performance.now()
  const engine = await startAll(run)
  const result = await new Story(run.network, engine, run.screen).run()
  summary(run.screen, result, performance.now() - startMs)
  return 0
}

/** The network, its peers, and the engine of the person at the keyboard. */
async function startAll({ screen, network }: Run): Promise<DemoEngine> {
  screen.heading('A tailnet on this machine')
  const started = (): string => `control server at ${network.control.url}, relay and STUN beside it`
  await screen.step('control server and relay', () => network.start(), started)
  for (const name of PEERS) {
    await screen.step(`peer ${name}`, () => network.startPeer(name), () => `peer ${name} started`)
  }
  return screen.step('your engine', () => network.startEngine('you', true), () => 'your engine started, signed out')
}

function summary(screen: Screen, result: StoryResult, tookMs: number): void {
  screen.heading('Summary')
  screen.table([
    ['round trip relayed', `${result.relayedMs.toFixed(1)} ms`],
    ['round trip direct', `${result.directMs.toFixed(1)} ms`],
    ['relayed → direct', `${(result.upgradeMs / 1000).toFixed(1)} s after the network allowed it`],
    ['dropped before that', `${result.heldBack} direct datagrams`],
    ['whole demo', `${(tookMs / 1000).toFixed(1)} s`],
  ])
  screen.line()
  screen.good('The demo worked.')
}

/** Keeps the network running beside a window; resolves with 0 when the person quits its app. */
async function keepRunning(run: Run): Promise<number> {
  const { screen, network, folder } = run
  const engine = await startAll(run)
  const fields = { ControlURL: network.control.url, ControlURLSet: true, Hostname: 'my-computer', HostnameSet: true }
  await engine.api.call('editPrefs', { body: fields })
  const command = app === undefined || args.has('--browser') ? undefined : (JSON.parse(app.slice('--app='.length)) as string[])
  const window = await screen.step('the window', () => openWindow({ socketPath: engine.socketPath, app: command, folder }), openedText)
  run.window = window
  if (window.kind === 'address') screen.line(`\n    ${window.url}\n`)
  sayWhatToDo(run, engine)
  engine.api.watch(WATCH.initialState, ({ BrowseToURL: url }) => {
    if (url) screen.note(`the sign-in page: ${url}`)
  })
  void directLater(run)
  if (window.kind !== 'app') return new Promise(() => {})
  await window.closed
  screen.good('Bowline was quit')
  return 0
}

function openedText({ kind }: DemoWindow): string {
  if (kind === 'app') return 'the window is open'
  return kind === 'browser' ? 'the window is open in your browser' : 'open the window at this address; it works once'
}

function sayWhatToDo({ screen, network }: Run, engine: DemoEngine): void {
  screen.heading('What to do there')
  screen.table([
    ['sign in', `press “Sign in”: the address is filled in (${network.control.url}); its page opens by itself, any name will do`],
    ['look', 'open a device, ping it, read why it is relayed'],
    ['watch', `${RELAYED_FIRST_MS / 1000} s after you signed in the network lets direct traffic through, and the path becomes direct`],
    ['use', `web’s own page: “Open a service”, port ${network.webPort}; files: port ${network.filesPort}`],
    ['go further', 'exit nodes (Ctrl E), the network behind files, “Apps only” for your programs'],
  ])
  const bowline = `npx bowline --socket=${engine.socketPath}`
  const proxy = engine.httpProxy ? `http://${engine.httpProxy.ip}:${engine.httpProxy.port}` : ''
  screen.heading('Or from another terminal')
  screen.table([
    ['sign in', `${bowline} up`],
    ['look around', `${bowline} status`],
    ['ping a peer', `${bowline} ping web`],
    ['a peer’s page', `curl --proxy ${proxy} http://web:${network.webPort}/`],
  ])
  screen.line('\n  Press Ctrl-C to end it. Nothing stays behind.\n')
}

/** Lets direct traffic through some time after the person signed in. */
async function directLater({ screen, network }: Run): Promise<void> {
  const mine = await network.control.until(
    () => [...network.control.tailnet.nodes.values()].find((node) => node.online && !PEERS.some((name) => name === node.name)),
    'somebody to sign in',
    2 ** 31 - 1,
  )
  screen.good(`${mine.name} joined as ${mine.user.login}`)
  await new Promise((done) => setTimeout(done, RELAYED_FIRST_MS))
  network.gate.open()
  screen.good('the network lets direct traffic through')
}

function tooLong(screen: Screen): Promise<never> {
  return new Promise((_done, fail) => {
    const late = (): void => fail(new Error(`it did not end within ${LIMIT_MS / 1000} s; the step under way: ${screen.current ?? 'none'}`))
    setTimeout(late, LIMIT_MS).unref()
  })
}

/** Resolves with the exit code when the person, or whoever started the demo, ends it. */
function interrupted(screen: Screen): Promise<number> {
  return new Promise((done) => {
    const end = (code: number) => (): void => {
      screen.close()
      done(code)
    }
    process.on('SIGINT', end(130))
    process.on('SIGTERM', end(143))
    process.on('SIGHUP', end(129))
    // Nobody reads any more, as in `npm run demo | head`.
    process.stdout.on('error', end(141))
    // The starter's end: it holds an IPC channel open as long as it lives.
    process.on('disconnect', end(143))
  })
}
