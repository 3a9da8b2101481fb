/**
 * Which files the service runs: where they lie already if nobody but root can change them there (a package of the system), else a copy of them
 * that root owns. Node goes with them unless it is the system's own.
 *
 *   /usr/lib/bowline/     bowline.mjs, bowline-*.mjs, command.mjs, native/, node
 *
 * The copy is made beside the old one and takes its place by renaming: a service that is started meanwhile finds one or the other, whole.
 */
import { closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CliError, EXIT } from '../exit.ts'
import { whyReplaceable } from './safe-path.ts'

export const COPY_DIR = '/usr/lib/bowline'
const COMMAND = "import { main } from './bowline.mjs'\nprocess.exitCode = await main(process.argv.slice(2))\n"
/** From this file, or the bundle that it became part of, up to what holds the bundles or the add-on. */
const CLIMB = 5

export interface Bundle {
  /** Folder with bowline.mjs. */
  readonly dir: string
  /** The add-on. */
  readonly native: string
  /** The program that runs it. */
  readonly node: string
}

/** The bundle that this command is of. Throws CliError where there is none (a checkout that was not built). */
export function ownBundle(here = dirname(fileURLToPath(import.meta.url)), node = process.execPath): Bundle {
  const dir = climb(here, (folder) => [folder, join(folder, 'dist')].find((at) => existsSync(join(at, 'bowline.mjs'))))
  if (dir === undefined) throw new CliError(EXIT.failed, 'not-built', 'There is no bundle to install: build it first with npm run build.')
  const native = climb(here, (folder) => addonIn(join(folder, 'native')))
  if (native === undefined) throw new CliError(EXIT.failed, 'not-built', 'There is no add-on to install: build it first with npm run build:native.')
  return { dir, native, node }
}

function climb(from: string, find: (folder: string) => string | undefined): string | undefined {
  let folder = from
  for (let i = 0; i < CLIMB; i++) {
    const found = find(folder)
    if (found !== undefined) return found
    folder = dirname(folder)
  }
  return undefined
}

function addonIn(folder: string): string | undefined {
  if (!existsSync(folder)) return undefined
  const name = readdirSync(folder).find((file) => file.startsWith('bowline.') && file.includes(`${process.platform}-${process.arch}`))
  return name === undefined ? undefined : join(folder, name)
}

/** Why the bundle cannot be run where it lies, as a clause; undefined = it can. */
export function whyCopy({ dir, native, node }: Bundle): string | undefined {
  return [join(dir, 'command.mjs'), join(dir, 'bowline.mjs'), native, node].map((path) => whyReplaceable(path)).find((why) => why !== undefined)
}

/** The words that are the bowline command as the service runs it: where the bundle lies, or where it would be copied to. */
export const commandOf = (bundle: Bundle): readonly string[] => (whyCopy(bundle) === undefined ? [bundle.node, join(bundle.dir, 'command.mjs')] : copiedCommand(bundle.node, COPY_DIR))

/** Copies the bundle to `to` and answers the command's words there; `root` goes before the folder while it is written. Throws CliError. */
export function copyBundle({ dir, native, node }: Bundle, { root = '', to = COPY_DIR }: { root?: string; to?: string } = {}): readonly string[] {
  const place = `${root}${to}`
  const [fresh, old] = [`${place}.new`, `${place}.old`]
  for (const path of [fresh, old]) rmSync(path, { recursive: true, force: true })
  mkdirSync(join(fresh, 'native'), { recursive: true, mode: 0o755 })
  for (const name of readdirSync(dir).filter((file) => /^bowline.*\.mjs$/.test(file))) copyFile(join(dir, name), join(fresh, name), 0o644)
  writeFileSync(join(fresh, 'command.mjs'), COMMAND, { mode: 0o644 })
  copyFile(native, join(fresh, 'native', native.slice(dirname(native).length + 1)), 0o644)
  const command = copiedCommand(node, to)
  if (command[0] !== node) copyFile(node, join(fresh, 'node'), 0o755)
  if (existsSync(place)) renameSync(place, old)
  renameSync(fresh, place)
  rmSync(old, { recursive: true, force: true })
  return command
}

/** The command's words once the bundle was copied: Node goes along unless it is the system's own. */
function copiedCommand(node: string, to: string): readonly string[] {
  return [whyReplaceable(node) === undefined ? node : join(to, 'node'), join(to, 'command.mjs')]
}

/** Bytes and nothing else: no link is followed at its end, and the owner is who writes. */
function copyFile(from: string, to: string, mode: number): void {
  const fd = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    if (!fstatSync(fd).isFile()) throw new CliError(EXIT.failed, 'failed', `${from} is no file; nothing was installed.`)
    writeFileSync(to, readFileSync(fd), { mode })
  } finally {
    closeSync(fd)
  }
}
