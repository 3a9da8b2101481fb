/**
 * /etc/resolver as files: read bounded, written whole beside and moved into place, never through a link.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RESOLVER_FOLDER } from './dns-plan.ts'
import type { ResolverFolder } from './dns.ts'

const MAX_BYTES = 64 * 1024
const MAX_FILES = 10_000
/** No plain domain ends so. */
const HALF = '.bowline-half-'

export function resolverFolder(folder = RESOLVER_FOLDER): ResolverFolder {
  return {
    list() {
      try {
        return readdirSync(folder).slice(0, MAX_FILES)
      } catch {
        return []
      }
    },
    read(name) {
      try {
        const at = join(folder, name)
        const there = lstatSync(at)
        return there.isFile() && there.size <= MAX_BYTES ? readFileSync(at, 'utf8') : ''
      } catch {
        return undefined
      }
    },
    write(name, text) {
      mkdirSync(folder, { recursive: true, mode: 0o755 })
      const half = join(folder, `${HALF}${name}`)
      rmSync(half, { force: true })
      writeFileSync(half, text, { mode: 0o644, flag: 'wx' })
      renameSync(half, join(folder, name))
    },
    remove(name) {
      rmSync(join(folder, name), { force: true })
    },
  }
}
