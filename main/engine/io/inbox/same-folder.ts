/**
 * Whether a folder that is there already is the one that came in: the same names, all of them and no others, and the same bytes.
 * Someone whose last word to a sender was lost gets the whole again, and keeps it once.
 */
import { createHash } from 'node:crypto'
import type { Dir } from './dir.ts'
import type { Disk } from './disk.ts'
import { hashPrefix } from './partial.ts'
import { partsThere, Tree } from './tree.ts'
import type { TreePlan } from './tree.ts'

/** `sha256`: of the stream. Never rejects: what cannot be read is another one. */
export async function isSameFolder(disk: Disk, dir: Dir, name: string, plan: TreePlan, sha256: string): Promise<boolean> {
  const root = await dir.enter(name).catch(() => undefined)
  if (!root) return false
  const tree = new Tree(disk, root)
  try {
    return (await hasNamesOf(disk, root, plan)) && (await hasBytesOf(tree, plan, sha256))
  } catch {
    return false
  } finally {
    await tree.close()
  }
}

async function hasNamesOf(disk: Disk, root: Dir, { stream, emptyFiles, folders }: TreePlan): Promise<boolean> {
  const sizes = new Map([...stream, ...emptyFiles].map(({ path, size }) => [path, size]))
  const wanted = new Set([...sizes.keys(), ...folders.map(({ path }) => path)])
  for (const { parents } of [...stream, ...emptyFiles, ...folders]) parents.forEach((_, depth) => wanted.add(parents.slice(0, depth + 1).join('/')))
  const visit = async (at: Dir, prefix: string): Promise<boolean> => {
    for (const below of await at.names()) {
      const path = `${prefix}${below}`
      if (!wanted.delete(path)) return false
      const stat = await disk.lstat(at.found(below))
      const size = sizes.get(path)
      if (size === undefined ? !stat.isDirectory() : !stat.isFile() || stat.size !== size) return false
      if (size !== undefined) continue
      const inner = await at.enter(below)
      try {
        if (!(await visit(inner, `${path}/`))) return false
      } finally {
        await inner.close()
      }
    }
    return true
  }
  return (await visit(root, '')) && wanted.size === 0
}

async function hasBytesOf(tree: Tree, plan: TreePlan, sha256: string): Promise<boolean> {
  const hash = createHash('sha256')
  for await (const { file, size } of partsThere(tree, plan)) await hashPrefix(file, size, hash)
  return hash.digest('hex') === sha256
}
