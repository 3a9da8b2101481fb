/**
 * Has one command run with admin rights, where this desktop can ask the person for them (polkit's pkexec). The command is named by absolute
 * paths alone; what it says is bounded.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Never looked up in the person's own PATH. */
const ASKERS = ['/usr/bin/pkexec', '/bin/pkexec']
/** A person may take time to find the password; the work itself is seconds. */
const LIMIT_MS = 600_000
const WORDS_LIMIT = 600
/** pkexec: the person closed the question, or may not. */
const DECLINED = 126
const NOT_ASKED = 127

export type AskedAdmin = { readonly kind: 'done'; readonly out: string } | { readonly kind: 'declined' } | { readonly kind: 'failed'; readonly code: string; readonly message: string }

export const adminAsker = (exists: (path: string) => boolean = existsSync): string | undefined => ASKERS.find((path) => exists(path))

/** Asks, runs, and answers what came of it; never throws. */
export function runAsAdmin(asker: string, command: readonly string[]): Promise<AskedAdmin> {
  return new Promise((resolve) => {
    execFile(asker, [...command], { timeout: LIMIT_MS, maxBuffer: 256 * 1024, encoding: 'utf8' }, (error, out, said) => {
      if (!error) return resolve({ kind: 'done', out })
      if (error.code === DECLINED) return resolve({ kind: 'declined' })
      const words = said.trim().split('\n').at(-1)?.slice(0, WORDS_LIMIT) ?? ''
      if (error.code === NOT_ASKED) return resolve({ kind: 'failed', code: 'cannot-ask', message: words === '' ? 'Nobody could be asked for admin rights here.' : words })
      resolve({ kind: 'failed', code: 'install-failed', message: words === '' ? error.message : words })
    })
  })
}
