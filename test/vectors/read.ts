/**
 * Reads a vector file beside this one.
 */
import { readFileSync } from 'node:fs'

/** The JSON of a file, named relative to this folder. */
export function readVectors<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as T
}
