/**
 * Runs the system's own programs for installing: a fixed list, from the system's folders alone, without a shell.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { CliError, EXIT } from '../exit.ts'

const PROGRAMS: readonly string[] = ['systemctl', 'groupadd', 'groupdel', 'gpasswd']
const FOLDERS = ['/usr/sbin', '/sbin', '/usr/bin', '/bin']
const LIMIT_MS = 120_000

export const findSystem = (program: string): string | undefined => (PROGRAMS.includes(program) ? FOLDERS.map((folder) => `${folder}/${program}`).find((path) => existsSync(path)) : undefined)

/** What it said and its exit code; throws CliError when it is not there. */
export function runSystem([program = '', ...words]: readonly string[]): { readonly code: number; readonly out: string; readonly err: string } {
  const path = findSystem(program)
  if (path === undefined) throw new CliError(EXIT.unavailable, 'unavailable', `There is no ${program} on this computer.`)
  const { status, stdout, stderr } = spawnSync(path, words, { encoding: 'utf8', timeout: LIMIT_MS, env: { LC_ALL: 'C', PATH: FOLDERS.join(':') }, cwd: '/' })
  return { code: status ?? -1, out: stdout ?? '', err: (stderr ?? '').trim().slice(0, 600) }
}

/** The same, throwing CliError with its own words when it failed. */
export function mustRun(words: readonly string[]): void {
  const { code, err } = runSystem(words)
  if (code !== 0) throw new CliError(EXIT.failed, 'failed', `${words.join(' ')} failed: ${err === '' ? `code ${code}` : err}`)
}
