/**
 * What a person wants sent, as named on the command line: files, folders, "-" for standard input, and what else can only be read
 * once from front to back (a pipe, a device). Everything is looked at before anything is sent.
 */
import { accessSync, constants, statSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { nameFault } from '../../engine/core/taildrop/names.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { printable } from '../text.ts'

export type Item =
  /** `size` -1: a folder. */
  | { readonly kind: 'file' | 'folder'; readonly path: string; readonly name: string; readonly size: number }
  /** `path` undefined: standard input. */
  | { readonly kind: 'stream'; readonly path: string | undefined; readonly name: string }

/** `name`: "" = each keeps its own. Throws CliError that names what is wrong. */
export function itemsOf(words: readonly string[], name: string): readonly Item[] {
  const streams = words.filter((word) => word === '-').length
  if (streams > 1) throw usageError('Standard input can be sent once only: give one "-".')
  if (name !== '' && words.length > 1 && streams === 0) throw usageError('--name is for one file, or for "-" among several.')
  return words.map((word) => {
    const isNamed = name !== '' && (words.length === 1 || word === '-')
    const item = lookAt(word, isNamed ? name : undefined)
    const fault = nameFault(item.name)
    if (fault !== undefined) throw new CliError(EXIT.failed, 'bad-name', `${JSON.stringify(item.name)} is no name that can be sent: ${fault}. Give it another one: --name=NAME`)
    return item
  })
}

function lookAt(word: string, name: string | undefined): Item {
  // A name for standard input that says no more than is known of it.
  if (word === '-') return { kind: 'stream', path: undefined, name: name ?? 'stdin' }
  const path = resolve(word)
  try {
    const found = statSync(path)
    accessSync(path, found.isDirectory() ? constants.R_OK | constants.X_OK : constants.R_OK)
    const own = name ?? basename(path)
    if (found.isDirectory()) return { kind: 'folder', path, name: own, size: -1 }
    return found.isFile() ? { kind: 'file', path, name: own, size: found.size } : { kind: 'stream', path, name: own }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' || code === 'ENOTDIR' ? 'is not there' : code === 'EACCES' || code === 'EPERM' ? 'may not be read by this user' : `cannot be read: ${(error as Error).message}`
    throw new CliError(EXIT.failed, code === 'ENOENT' || code === 'ENOTDIR' ? 'no-such-file' : 'unreadable', `${printable(word)} ${why}.`)
  }
}
