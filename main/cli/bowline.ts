/**
 * The `bowline` command: finds the verb, reads its flags, runs it, and turns what went wrong into a sentence and an exit code.
 *
 *   0 done   1 failed   2 wrong usage   3 no engine runs   4 not allowed   5 not connected
 */
import { homedir, userInfo } from 'node:os'
import { errorText } from '../engine/base/errors.ts'
import { VERSION } from '../localapi/version.ts'
import { LocalApi } from './client.ts'
import { CliError, EXIT } from './exit.ts'
import { flagLines, parseFlags } from './flags.ts'
import type { FlagSpec } from './flags.ts'
import { socketToUse } from './paths.ts'
import type { System } from './paths.ts'
import type { Terminal, Verb } from './verb.ts'
import { printJson } from './verb.ts'
import { daemon } from './verbs/daemon.ts'
import { debug } from './verbs/debug.ts'
import { down, logout } from './verbs/down.ts'
import { ip } from './verbs/ip.ts'
import { netcheck } from './verbs/netcheck.ts'
import { ping } from './verbs/ping.ts'
import { status } from './verbs/status.ts'
import { login, up } from './verbs/up.ts'
import { version } from './verbs/version.ts'
import { web } from './verbs/web.ts'
import { whois } from './verbs/whois.ts'

const VERBS: readonly Verb[] = [up, down, login, logout, status, ip, ping, whois, netcheck, web, daemon, debug, version]

const COMMON: FlagSpec = {
  socket: { kind: 'text', help: "the engine's socket, when it is not the usual one", value: 'PATH' },
  json: { kind: 'bool', help: 'answer in JSON' },
  help: { kind: 'bool', help: 'explain', short: 'h' },
}

/** Runs the command line and answers its exit code. Never throws. */
export async function main(argv: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  let json = argv.includes('--json')
  try {
    const { verb, rest } = split(argv)
    if (verb === undefined) {
      const asked = parseFlags(rest, { ...COMMON, version: { kind: 'bool', help: '' } }, 'help')
      if (asked.bool('version')) return print(terminal, `${VERSION}\n`, EXIT.ok)
      const wanted = asked.words[0] === 'help' ? VERBS.find((entry) => entry.name === asked.words[1]) : undefined
      return print(terminal, wanted ? verbHelp(wanted) : help(), argv.length === 0 ? EXIT.usage : EXIT.ok)
    }
    const args = parseFlags(rest, { ...COMMON, ...verb.flags }, verb.name)
    json = args.bool('json')
    if (args.bool('help')) return print(terminal, verbHelp(verb), EXIT.ok)
    const api = new LocalApi(args.text('socket') || socketToUse(terminal.system))
    return await verb.run({ api, args, json, terminal })
  } catch (error) {
    const failure = error instanceof CliError ? error : new CliError(EXIT.failed, 'failed', errorText(error))
    if (json) printJson(terminal, { error: { code: failure.code, message: failure.message } })
    terminal.err(`bowline: ${failure.message}\n`)
    return failure.exitCode
  }
}

/** The verb, and all flags wherever they stand; common ones may come before it. Throws for a word that is no verb. */
function split(argv: readonly string[]): { verb: Verb | undefined; rest: readonly string[] } {
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    if (/^--?socket$/.test(arg)) i++
    else if (!arg.startsWith('-')) {
      if (arg === 'help') return { verb: undefined, rest: argv }
      const verb = VERBS.find((entry) => entry.name === arg)
      if (!verb) throw new CliError(EXIT.usage, 'usage', `There is no command ${JSON.stringify(arg)}. Commands: ${VERBS.map((entry) => entry.name).join(', ')}. See: bowline --help`)
      return { verb, rest: [...argv.slice(0, i), ...argv.slice(i + 1)] }
    }
  }
  return { verb: undefined, rest: argv }
}

function print(terminal: Terminal, text: string, code: number): number {
  terminal.out(text)
  return code
}

function help(): string {
  const width = Math.max(...VERBS.map((verb) => verb.name.length))
  const lines = VERBS.map((verb) => `  ${verb.name.padEnd(width)}  ${verb.summary}`)
  return `bowline joins this computer to a network of your own devices.\n\nUsage: bowline COMMAND [flags]\n\n${lines.join('\n')}\n\nEvery command takes:\n${flagLines(COMMON)}\n\nTo begin, start the engine in one terminal and connect in another:\n  bowline daemon\n  bowline up --login-server https://headscale.example.com\n`
}

function verbHelp(verb: Verb): string {
  return `${verb.summary[0]!.toUpperCase()}${verb.summary.slice(1)}.\n\nUsage: bowline ${verb.name} ${verb.usage}\n\n${verb.help}\n\n${flagLines({ ...verb.flags, ...COMMON })}\n`
}

function processTerminal(): Terminal {
  const interrupted = new AbortController()
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    system: thisSystem(),
    get interrupted() {
      // Only verbs that wait ask for it; the others keep the system's own Ctrl-C.
      if (process.listenerCount('SIGINT') === 0) process.once('SIGINT', () => interrupted.abort())
      return interrupted.signal
    },
  }
}

function thisSystem(): System {
  return { platform: process.platform, uid: process.getuid?.(), home: homedir(), user: userName(), env: process.env }
}

/** A user ID without a name (a container) is no reason to fail. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'user')
  }
}
