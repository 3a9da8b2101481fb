/**
 * Users and groups of this computer, as its own lists have them.
 */
import { readFileSync } from 'node:fs'

export interface User {
  readonly name: string
  readonly uid: number
  readonly home: string
}

const rows = (path: string): readonly (readonly string[])[] => {
  try {
    return readFileSync(path, 'utf8').split('\n').map((line) => line.split(':'))
  } catch {
    return []
  }
}

/** A user by name or number; undefined = the list has none such. */
export function findUser(user: string, list: readonly (readonly string[])[] = rows('/etc/passwd')): User | undefined {
  const found = list.find(([name, , uid]) => name !== '' && (name === user || (/^\d+$/.test(user) && uid === user)))
  return found && { name: found[0]!, uid: Number(found[2]), home: found[5] ?? '' }
}

export const hasGroup = (group: string): boolean => rows('/etc/group').some(([name]) => name === group)
