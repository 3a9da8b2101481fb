/**
 * bowline file get: moves files that arrived, and wait with the engine, into a folder.
 */
import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { CliError, EXIT, usageError } from '../exit.ts'
import type { ExitCode } from '../exit.ts'
import { lackingAs } from '../lacking.ts'
import { pause } from '../pause.ts'
import { printable } from '../text.ts'
import { dropFile, fetchFile, waitingFiles } from '../transfers/inbox.ts'
import type { Conflict, Waiting } from '../transfers/inbox.ts'
import { bytes } from '../transfers/words.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson, printJsonLine } from '../verb.ts'

const CONFLICTS: readonly Conflict[] = ['skip', 'overwrite', 'rename']
/** After a failure in a loop: what caused it may still be there. */
const AGAIN_MS = 5_000
const DRAW_MS = 250
/** Below this a line of progress would only flicker. */
const SHOWN_BYTES = 4_000_000

interface Round {
  readonly Moved: readonly { readonly Name: string; readonly Path: string; readonly Size: number }[]
  readonly Failed: readonly { readonly Name: string; readonly Why: string }[]
}

export const get: Verb = {
  name: 'get',
  summary: 'move files that arrived into a folder',
  usage: 'FOLDER [--wait] [--loop] [--conflict=skip|overwrite|rename]',
  help:
    'Files of other devices wait with the engine until they are fetched, unless they go to a folder at once (bowline file folder). Each is whole under its name, or not there at all; nothing is overwritten unless that is asked for. /dev/null as the folder deletes them.',
  examples: [
    ['bowline file get .', 'fetch what is there'],
    ['bowline file get --loop --conflict=rename ~/Downloads', 'fetch whatever comes, until Ctrl-C'],
    ['bowline file get --wait /dev/null', 'delete what waits, or the next that comes'],
  ],
  json: '{"Moved": [{"Name", "Path", "Size"}], "Failed": [{"Name", "Why"}]}; with --loop one a line for each round',
  takes: 'folder',
  flags: {
    wait: { kind: 'bool', help: 'wait for a file when there is none' },
    loop: { kind: 'bool', help: 'go on fetching what comes' },
    conflict: { kind: 'choice', help: 'what to do when the folder has a file of that name: leave the new one waiting, replace the old one, or give the new one a number', choices: CONFLICTS, initial: 'skip' },
    verbose: { kind: 'bool', help: 'say also when it waits and how many were moved' },
  },
  async run(context: Context) {
    const { args, json, terminal, api } = context
    const [word, more] = args.words
    if (word === undefined || more !== undefined) throw usageError('file get wants one folder: bowline file get .')
    const isNull = word === '/dev/null' || (process.platform === 'win32' && word.toUpperCase() === 'NUL')
    const folder = resolve(word)
    if (!isNull && statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw new CliError(EXIT.failed, 'not-a-folder', `${printable(word)} is no folder.`)
    const loop = args.bool('loop')
    const list = (): Promise<readonly Waiting[]> => lackingAs('This engine receives no files.', () => waitingFiles(api, args.bool('wait') || loop, terminal.interrupted))
    do {
      if (args.bool('verbose') && (loop || args.bool('wait'))) terminal.err('Waiting for a file…\n')
      const files = await list()
      const round = await moveAll(context, files, isNull ? undefined : folder)
      if (json) (loop ? printJsonLine : printJson)(terminal, round)
      else if (files.length === 0) await sayNone(context)
      else if (args.bool('verbose') || (round.Failed.length > 0 && files.length > 1)) terminal.err(`${round.Moved.length} of ${files.length} moved.\n`)
      if (!loop) return round.Failed.length > 0 ? EXIT.failed : EXIT.ok
      if (round.Failed.length > 0) await pause(AGAIN_MS, terminal.interrupted)
    } while (!terminal.interrupted.aborted)
    return EXIT.interrupted as ExitCode
  },
}

/** `folder` undefined: they are deleted. */
async function moveAll(context: Context, files: readonly Waiting[], folder: string | undefined): Promise<Round> {
  const { api, json, args, terminal } = context
  const moved: Round['Moved'][number][] = []
  const failed: Round['Failed'][number][] = []
  for (const file of files) {
    try {
      const path = folder === undefined ? '' : await fetchFile(api, file, folder, args.text('conflict') as Conflict, line(context, file), terminal.interrupted)
      if (folder === undefined) await dropFile(api, file.Name, terminal.interrupted)
      moved.push({ Name: file.Name, Path: path, Size: file.Size })
      terminal.line?.('')
      if (!json) terminal.out(folder === undefined ? `${printable(file.Name)}: deleted (${bytes(file.Size)})\n` : `${printable(file.Name)}: saved as ${printable(shown(path, folder, args.words[0]!))} (${bytes(file.Size)})\n`)
    } catch (error) {
      terminal.line?.('')
      if (!(error instanceof CliError) || error.exitCode === EXIT.interrupted || error.exitCode === EXIT.noEngine) throw error
      failed.push({ Name: file.Name, Why: error.message })
      if (!json) terminal.err(`${error.message.replace(/\.$/, '')}.\n`)
    }
  }
  return { Moved: moved, Failed: failed }
}

/** With the folder as it was typed. */
const shown = (path: string, folder: string, typed: string): string => join(typed, path.slice(folder.length + (folder.endsWith('/') ? 0 : 1)))

/** How far a large one is, on a terminal. */
function line({ terminal, json }: Context, file: Waiting): (count: number) => void {
  let drawnMs = 0
  return (count) => {
    const nowMs = performance.now()
    if (json || file.Size < SHOWN_BYTES || nowMs - drawnMs < DRAW_MS) return
    drawnMs = nowMs
    terminal.line?.(`${printable(file.Name)}   ${bytes(count)} of ${bytes(file.Size)}`)
  }
}

/** Nothing waits: perhaps because files go elsewhere, or because somebody has to answer first. */
async function sayNone({ api, terminal }: Context): Promise<void> {
  const page = await api.call('transfers', { timeoutMs: 5_000 }).catch(() => undefined)
  if (page && page.Inbox.Folder !== '') terminal.out(`Nothing waits here: files go to ${printable(page.Inbox.Folder)} at once.\n`)
  else terminal.out('No file waits.\n')
  if (page && page.Asks.length > 0) terminal.out(`${page.Asks.length === 1 ? 'One device asks' : `${page.Asks.length} devices ask`} to send something: bowline file list\n`)
}
