/**
 * After all packages are made: SHA256SUMS beside them, signed with GnuPG where BOWLINE_SIGNING_KEY names a key.
 *
 * Windows and macOS packages are signed by electron-builder itself, from its own environment (CSC_LINK, WIN_CSC_LINK, APPLE_*).
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

export default function checksums({ outDir, artifactPaths }) {
  const files = artifactPaths.filter((path) => !/\.(blockmap|ya?ml)$/.test(path)).toSorted()
  if (files.length === 0) return []
  const sums = join(outDir, 'SHA256SUMS')
  writeFileSync(sums, files.map((path) => `${createHash('sha256').update(readFileSync(path)).digest('hex')}  ${basename(path)}\n`).join(''))
  const key = process.env.BOWLINE_SIGNING_KEY
  if (key === undefined) return [sums]
  const { status } = spawnSync('gpg', ['--batch', '--yes', '--local-user', key, '--armor', '--detach-sign', sums], { stdio: 'inherit' })
  if (status !== 0) throw new Error('gpg did not sign SHA256SUMS')
  return [sums, `${sums}.asc`]
}
