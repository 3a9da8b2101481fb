/**
 * What the last installation did, so that the next one and the removal know: service.json in the service's state directory, root's own.
 *
 *   { version: 1, operators: ["anna"], madeGroup: true }
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export interface ServiceRecord {
  readonly operators: readonly string[]
  /** The group was not there before. */
  readonly madeGroup: boolean
}

const USER = /^(\d{1,10}|[a-z_][a-z0-9_.@-]{0,63}\$?)$/i

/** A user as units and lists name one; nothing that means something else there. */
export const isUserWord = (text: string): boolean => USER.test(text)

const fileOf = (stateDir: string): string => join(stateDir, 'service.json')

/** undefined: there is none, or it is not one. */
export function readRecord(stateDir: string): ServiceRecord | undefined {
  try {
    const { operators, madeGroup } = JSON.parse(readFileSync(fileOf(stateDir), 'utf8')) as Record<string, unknown>
    if (!Array.isArray(operators)) return undefined
    return { operators: operators.filter((user): user is string => typeof user === 'string' && isUserWord(user)), madeGroup: madeGroup === true }
  } catch {
    return undefined
  }
}

export function writeRecord(stateDir: string, record: ServiceRecord): void {
  mkdirSync(dirname(stateDir), { recursive: true })
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  writeFileSync(fileOf(stateDir), `${JSON.stringify({ version: 1, ...record }, null, 1)}\n`, { mode: 0o600 })
}
