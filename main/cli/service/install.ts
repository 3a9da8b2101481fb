/**
 * Carries out the plans on Linux: writes root's own files, makes the group, has systemd start and stop the unit. Done again it comes to the
 * same end; what another program wrote is never touched.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { servicePlace, UNIT_NAME } from '../../client/service-place.ts'
import { CliError, EXIT } from '../exit.ts'
import { commandOf, copyBundle, COPY_DIR, whyCopy, type Bundle } from './bundle.ts'
import { MARK, type ServicePlan, type ServiceShape } from './plan.ts'
import { readRecord, writeRecord } from './record.ts'
import { findSystem, mustRun, runSystem } from './run-system.ts'
import { systemdPlan } from './systemd-plan.ts'
import { hasGroup } from './users.ts'

export const STATE_DIR = '/var/lib/bowline'
export const GROUP = 'bowline'

export interface InstallOptions {
  readonly bundle: Bundle
  /** In addition to those of an earlier installation. */
  readonly operators: readonly string[]
  /** Put before all paths that are written; then nothing is run and no group made. '' = this computer. */
  readonly root: string
  readonly say: (line: string) => void
}

/** The shape for a bundle that is run by `command`. */
export function shapeOf(command: readonly string[], operators: readonly string[], group = GROUP): ServiceShape {
  return { command, socket: servicePlace('linux').socket, stateDir: STATE_DIR, operators, group }
}

/** Installs or renews the service and starts it. Throws CliError; what was done until then can be done again. */
export function install({ bundle, operators, root, say }: InstallOptions): ServiceShape {
  const here = root === ''
  if (here && !existsSync('/run/systemd/system')) throw new CliError(EXIT.unavailable, 'no-systemd', 'This computer is not run by systemd, so nothing was installed. Have its init system run, as root: bowline daemon --service --operator=USER')
  const before = readRecord(`${root}${STATE_DIR}`)
  const all = [...new Set([...(before?.operators ?? []), ...operators])]
  const why = whyCopy(bundle)
  const command = why === undefined ? commandOf(bundle) : copyBundle(bundle, { root })
  say(why === undefined ? `The service runs ${bundle.dir}, where only root can change it.` : `Copied to ${root}${COPY_DIR}, since ${why}.`)
  const madeGroup = here && makeGroup()
  const group = !here || madeGroup || hasGroup(GROUP) ? GROUP : ''
  const shape = shapeOf(command, all, group)
  const plan = systemdPlan(shape)
  for (const file of plan.files) assertOurs(`${root}${file.path}`)
  writeRecord(`${root}${STATE_DIR}`, { operators: all, madeGroup: madeGroup || before?.madeGroup === true })
  writeFiles(plan, root)
  if (!here) return shape
  // The operator may write at once; the group is for the next session, and for others that are added to it.
  if (group !== '') for (const user of operators) runIfThere(['gpasswd', '--add', user, group])
  // One that runs ends for the next: traffic that is kept in stays so. An older one that does not know the signal dies of it, with the same end.
  if (before) runSystem(['systemctl', 'kill', '--kill-who=main', '--signal=SIGUSR2', UNIT_NAME])
  for (const words of plan.start) mustRun(words)
  return shape
}

/** Stops the service, has what it changed on this computer undone, and takes away what installing put there; the state stays. Throws CliError for a unit that is not ours. */
export async function uninstall({ root, say, cleanUp }: { readonly root: string; readonly say: (line: string) => void; readonly cleanUp: () => Promise<void> }): Promise<void> {
  const here = root === ''
  const shape = shapeOf([`${COPY_DIR}/node`], [])
  const plan = systemdPlan(shape)
  for (const { path } of plan.files) assertOurs(`${root}${path}`)
  const isThere = plan.files.some(({ path }) => existsSync(`${root}${path}`))
  const record = readRecord(`${root}${STATE_DIR}`)
  if (here && isThere && existsSync('/run/systemd/system')) for (const words of plan.stop) mustRun(words)
  // The stop did so already, unless the service died before.
  if (here) await cleanUp()
  for (const { path } of plan.files) rmSync(`${root}${path}`, { force: true })
  rmSync(`${root}${COPY_DIR}`, { recursive: true, force: true })
  rmSync(`${root}/run/bowline`, { recursive: true, force: true })
  rmSync(`${root}${STATE_DIR}/service.json`, { force: true })
  if (!here) return
  if (isThere && existsSync('/run/systemd/system')) for (const words of plan.forget) runSystem(words)
  if (record?.madeGroup === true && hasGroup(GROUP)) runIfThere(['groupdel', GROUP])
  say(isThere ? 'The service is removed.' : 'There was no service; what was left of one is removed.')
}

/** Whether a group was made now. */
function makeGroup(): boolean {
  return !hasGroup(GROUP) && runIfThere(['groupadd', '--system', GROUP])
}

const runIfThere = (words: readonly string[]): boolean => findSystem(words[0]!) !== undefined && runSystem(words).code === 0

/** Nobody else's file is replaced or removed. Throws CliError. */
function assertOurs(path: string): void {
  if (!existsSync(path)) return
  if (!readFileSync(path, 'utf8').includes(MARK)) throw new CliError(EXIT.failed, 'foreign-unit', `${path} was not written by this command, so it stays as it is, and nothing was done. Move it away first.`)
}

function writeFiles({ files }: ServicePlan, root: string): void {
  for (const { path, mode, text } of files) {
    const at = `${root}${path}`
    mkdirSync(dirname(at), { recursive: true, mode: 0o755 })
    writeFileSync(`${at}.new`, text, { mode })
    renameSync(`${at}.new`, at)
  }
}
