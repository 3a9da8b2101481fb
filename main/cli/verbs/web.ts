/**
 * bowline web: serves the window on loopback, for the engine at the socket, until Ctrl-C.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { WebHost } from '../../web/web-host.ts'
import { CliError, EXIT } from '../exit.ts'
import { defaultStateDir } from '../paths.ts'
import type { ExitCode } from '../exit.ts'
import type { FlagSpec } from '../flags.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'

const FLAGS: FlagSpec = {
  port: { kind: 'number', help: 'TCP port on this computer; 0 = any', initial: '0', value: 'PORT', max: 65_535 },
  'no-open': { kind: 'bool', help: 'print the address, open no browser' },
  readonly: { kind: 'bool', help: 'let the window look and change nothing' },
}

/** The built window: beside the bundle, or in the project when run from the sources. */
const PLACES = ['renderer', '../../../dist/renderer'].map((path) => join(import.meta.dirname, path))

export const web: Verb = {
  name: 'web',
  group: 'Look',
  summary: 'show the window in a browser',
  usage: '[--port PORT] [--no-open] [--readonly]',
  help: 'Serves the window on this computer alone and opens it in your browser. The address works once; the browser then keeps a cookie. Runs until Ctrl-C.',
  examples: [['bowline web --readonly', 'for a screen that others see']],
  json: '{"url", "port"}, once it is served',
  flags: FLAGS,
  async run(context: Context): Promise<ExitCode> {
    const { args } = context
    noWords('web', args)
    return await serveWindow(context, { port: args.number('port'), open: !args.bool('no-open'), readOnly: args.bool('readonly') })
  },
}

/** Serves the window until Ctrl-C. */
export async function serveWindow({ api, json, terminal }: Context, { port, open, readOnly }: { port: number; open: boolean; readOnly: boolean }): Promise<ExitCode> {
  const rendererDir = PLACES.find((path) => existsSync(join(path, 'index.html')))
  if (rendererDir === undefined) throw new CliError(EXIT.failed, 'not-built', 'The window is not built. Build it with: npm run build')
  // Says what to do when no engine answers.
  await api.call('status', { query: { peers: 'false' } })
  // The host and what it needs are for this verb alone.
  const [{ WebHost }, { openBrowser }] = await Promise.all([import('../../web/web-host.ts'), import('../../web/open-browser.ts')])
  const host = new WebHost({ socketPath: api.socketPath, rendererDir, port, readOnly, settingsPath: join(defaultStateDir(terminal.system), 'window.json') })
  await listen(host, port)
  try {
    const url = host.address()
    if (json) printJson(terminal, { url, port: Number(new URL(url).port) })
    else terminal.out(`The window is at\n\n    ${url}\n\nThis address works once, within ten minutes.${readOnly ? ' It changes nothing.' : ''} Press Ctrl-C to end.\n`)
    const opened = open && (await openBrowser(url, terminal.system))
    if (!json && !opened && open) terminal.out('No browser could be opened here: open the address yourself.\n')
    await ended(terminal.interrupted)
    return EXIT.ok
  } finally {
    host.stop()
  }
}

/** Starts the host; a port that is taken gets its own sentence. */
async function listen(host: WebHost, port: number): Promise<void> {
  try {
    await host.start()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') throw new CliError(EXIT.failed, 'port-in-use', `Port ${port} is in use. Give another with --port, or leave it out.`)
    throw new CliError(EXIT.failed, 'no-listener', `The window cannot be served on port ${port}: ${message}`)
  }
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
