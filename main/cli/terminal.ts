/**
 * The real terminal, and the gate through which everything that is printed leaves: no steering characters but our own.
 */
import { homedir, userInfo } from 'node:os'
import { createInterface } from 'node:readline/promises'
import { rendered } from './text.ts'
import type { Terminal } from './verb.ts'

const ERASE_LINE = '\r\u001b[2K'
const CLEAR = '\u001b[H\u001b[2J'

/** This process's terminal. Only verbs that wait ask for `interrupted`; the others keep the system's own Ctrl-C. */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process
  const interrupted = new AbortController()
  // A reader that has seen enough (head, less) is no failure of ours.
  for (const stream of [stdout, stderr]) stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  const smart = env['TERM'] !== 'dumb'
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    system: { platform: process.platform, uid: process.getuid?.(), home: homeFolder(), user: userName(), env },
    input: () => process.stdin,
    get interrupted() {
      if (process.listenerCount('SIGINT') === 0) process.once('SIGINT', () => interrupted.abort())
      return interrupted.signal
    },
    ...(stdout.isTTY === true ? { columns: Math.max(stdout.columns || 80, 20) } : {}),
    ...(stderr.isTTY === true && smart ? { line: (text: string) => void stderr.write(`${ERASE_LINE}${text}`) } : {}),
    ...(process.stdin.isTTY === true && stderr.isTTY === true ? { ask: askPerson } : {}),
    ...(stdout.isTTY === true && smart ? { page: (text: string) => void stdout.write(`${CLEAR}${text}`) } : {}),
  }
}

async function askPerson(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(question)
  } finally {
    lines.close()
  }
}

/** The same terminal behind the gate. Colours only where a person sees them and has not asked for none (no-color.org). */
export function gated(terminal: Terminal): Terminal {
  const { env } = terminal.system
  const wanted = (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  const [out, err] = [wanted && terminal.columns !== undefined, wanted && terminal.line !== undefined]
  const { ask, line, page, columns, input } = terminal
  let open = false
  return {
    out: (text) => terminal.out(rendered(text, out)),
    err: (text) => {
      if (open) line!('')
      open = false
      terminal.err(rendered(text, err))
    },
    system: terminal.system,
    ...(input ? { input } : {}),
    get interrupted() {
      return terminal.interrupted
    },
    ...(columns !== undefined ? { columns } : {}),
    ...(line ? { line: (text: string) => {
      open = text !== ''
      line(rendered(text.slice(0, Math.max((columns ?? 80) - 1, 10)), err))
    } } : {}),
    ...(ask ? { ask: (question: string) => ask(rendered(question, false)) } : {}),
    ...(page ? { page: (text: string) => page(rendered(text, out)) } : {}),
  }
}

/** "/" for a user who has none (a container), as other programs take it: what cannot be written there says so itself. */
function homeFolder(): string {
  try {
    return homedir()
  } catch {
    return '/'
  }
}

/** A user ID without a name (a container) is no reason to fail. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'user')
  }
}

