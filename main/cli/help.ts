/**
 * Help: the list of verbs, one verb, and the topics that belong to no verb. Made from the same table that runs them.
 */
import { EXIT, EXIT_WORDS } from './exit.ts'
import { valueOf } from './flags.ts'
import type { FlagSpec } from './flags.ts'
import { wrap } from './text.ts'
import { GROUPS } from './verb.ts'
import type { Verb } from './verb.ts'

/** Flags that every verb takes. */
export const COMMON: FlagSpec = {
  socket: { kind: 'text', help: "the engine's socket, when it is not the usual one (bowline help socket)", value: 'PATH', takes: 'file' },
  own: { kind: 'bool', help: "speak with this user's own engine, also where the computer has a service" },
  json: { kind: 'bool', help: 'answer in JSON, errors too' },
  help: { kind: 'bool', help: 'explain', short: 'h' },
}

/** Width of help that goes to no terminal. */
const PAGE_COLUMNS = 90

const pageWidth = (columns: number | undefined): number => Math.min(columns ?? PAGE_COLUMNS, 100)

/** `bowline help`: every verb in its group, and where to begin. */
export function overview(verbs: readonly Verb[], columns?: number): string {
  const width = Math.max(...verbs.filter((verb) => verb.group).map((verb) => verb.name.length))
  const parts = GROUPS.map((group) => {
    const rows = verbs.filter((verb) => verb.group === group).map((verb) => row(verb.name, width, verb.summary, columns))
    return `${group}\n${rows.join('\n')}`
  })
  const begin = 'Begin: run the engine in one terminal, and connect in another.\n  bowline daemon\n  bowline up --login-server https://headscale.example.com'
  const more = paragraph('Every command takes --help, --json and --socket PATH. About one command: bowline help COMMAND. More: ' + Object.keys(TOPICS).map((name) => `bowline help ${name}`).join(', ') + '.', columns)
  return `bowline joins this computer to a network of your own devices.\n\nUsage: bowline COMMAND [flags]\n\n${begin}\n\n${parts.join('\n\n')}\n\n${more}\n`
}

/** `bowline VERB --help`. */
export function verbHelp(verb: Verb, path: string, columns?: number): string {
  const parts = [
    paragraph(`${verb.summary[0]!.toUpperCase()}${verb.summary.slice(1)}.`, columns),
    `Usage: bowline ${path}${verb.usage === '' ? '' : ` ${verb.usage}`}`,
    ...(verb.help === '' ? [] : [verb.help.split('\n').map((line) => paragraph(line, columns)).join('\n')]),
  ]
  if (verb.subs && verb.subs.length > 0) {
    const width = Math.max(...verb.subs.map((sub) => sub.name.length))
    parts.push(`Commands\n${verb.subs.map((sub) => row(sub.name, width, sub.summary, columns)).join('\n')}`)
  }
  if (verb.examples && verb.examples.length > 0) parts.push(`Examples\n${examples(verb.examples, columns)}`)
  const flags = flagLines(verb.flags, columns)
  if (flags !== '') parts.push(`Flags\n${flags}`)
  if (verb.json !== undefined) parts.push(`With --json\n  ${wrap(verb.json, pageWidth(columns) - 2, 2)}`)
  parts.push(`Every command takes\n${flagLines(COMMON, columns)}`)
  return `${parts.join('\n\n')}\n`
}

/** A line that begins with blanks or has columns of its own stays as it is. */
function paragraph(line: string, columns: number | undefined): string {
  return /^ | {2}/.test(line) ? line : wrap(line, pageWidth(columns))
}

function examples(lines: readonly (readonly [string, string])[], columns: number | undefined): string {
  const width = Math.max(...lines.map(([command]) => command.length))
  if (width + 30 > pageWidth(columns)) return lines.map(([command, what]) => `  ${command}\n      ${wrap(what, pageWidth(columns) - 6, 6)}`).join('\n')
  return lines.map(([command, what]) => row(command, width, what, columns)).join('\n')
}

/** A name and what it is, the second broken into a column of its own. */
function row(name: string, width: number, what: string, columns: number | undefined): string {
  const indent = width + 4
  const room = pageWidth(columns) - indent
  if (room < 24) return `  ${name}\n      ${wrap(what, pageWidth(columns) - 6, 6)}`
  return `  ${name.padEnd(width)}  ${wrap(what, room).replaceAll('\n', `\n${' '.repeat(indent)}`)}`
}

/** The flags of a verb, one a line. */
export function flagLines(spec: FlagSpec, columns?: number): string {
  const rows = Object.entries(spec)
    .filter(([, flag]) => flag.sameAs === undefined && flag.hidden !== true)
    .map(([name, flag]) => {
      const value = flag.kind === 'bool' ? '' : flag.bare === undefined ? `=${valueOf(flag)}` : `[=${valueOf(flag)}]`
      const initial = flag.initial === undefined || flag.initial === '' || flag.initial === 'false' ? '' : flag.kind === 'bool' ? ' (on)' : ` (${flag.initial})`
      return [`${flag.short !== undefined ? `-${flag.short}, ` : ''}--${name}${value}`, `${flag.help}${initial}`] as const
    })
  const width = Math.min(32, Math.max(0, ...rows.map(([left]) => left.length)))
  return rows.map(([left, right]) => (left.length > width ? `  ${left}\n${row('', width, right, columns)}` : row(left, width, right, columns))).join('\n')
}

/** Help that belongs to no verb. */
export const TOPICS: Readonly<Record<string, string>> = {
  'exit-codes': 'What the exit code of a command means.',
  json: 'What --json prints.',
  socket: 'How a command finds the engine.',
}

const BODIES: Readonly<Record<string, (columns: number | undefined) => string>> = {
  'exit-codes': (columns) => (Object.keys(EXIT) as (keyof typeof EXIT)[]).map((name) => row(String(EXIT[name]).padStart(3), 3, EXIT_WORDS[name], columns)).join('\n'),
  json: () =>
    'With --json a command prints JSON alone on standard output. Where the official tailscale command has a shape for it (status, ip, whois, ping, prefs, dns, the bus) it is that shape, with the same names; the others say theirs in --help.\n' +
    'Commands that go on (ping, status --watch, debug watch-ipn, netcheck --every) print one object a line; up and login print one object for a link that somebody has to open, and one at the end.\n' +
    'An error is {"error": {"code": "…", "message": "…"}}, and the exit code says what kind it is. Codes stay; messages may change.',
  socket: () =>
    'A command speaks to one engine, at the first of these sockets:\n' +
    '  1  --socket PATH\n  2  $BOWLINE_SOCKET\n  3  the service of this computer, where it answers: /run/bowline/bowline.sock\n  4  this user\'s own: $XDG_RUNTIME_DIR/bowline/bowlined.sock, or bowlined.sock in the state directory\n' +
    '--own begins with 4. macOS: /var/run/bowline.sock, then bowlined.sock in ~/Library/Application Support/Bowline. Windows: the pipe \\\\.\\pipe\\bowline-USER.\n' +
    'The service is installed with: sudo bowline service install. An engine of one\'s own is started with: bowline daemon',
}

export function topic(name: string, columns?: number): string {
  const body = BODIES[name]!(columns).split('\n').map((line) => paragraph(line, columns)).join('\n')
  return `${TOPICS[name]!}\n\n${body}\n`
}
