/**
 * Writes a story of saves with the real store and dies at the n-th point of it, by SIGKILL, as in a power cut of the
 * process: `node store-writer.ts DIR STORY.json POINT`. A point lies before every call that changes the disk, and in the middle of
 * every write. Prints the number of each step that is done; with point 0 it ends by itself and prints the number of points.
 */
import * as nodeFs from 'node:fs'
import { Store, type StoreFs } from '../../main/engine/io/store.ts'

export type Step =
  | { readonly kind: 'save' | 'replace'; readonly name: string; readonly text: string }
  | { readonly kind: 'remove'; readonly name: string }

const CHANGING = ['openSync', 'writeSync', 'fsyncSync', 'closeSync', 'renameSync', 'linkSync', 'copyFileSync', 'rmSync'] as const

const [dir, story, point] = process.argv.slice(2)
let passed = 0

function pass(): void {
  if (++passed === Number(point)) process.kill(process.pid, 'SIGKILL')
}

const fs: Record<string, unknown> = { ...nodeFs }
for (const name of CHANGING) {
  const real = nodeFs[name] as (...args: unknown[]) => unknown
  fs[name] = (...args: unknown[]) => {
    pass()
    return real(...args)
  }
}
fs['writeSync'] = (fd: number, bytes: Buffer, offset: number) => {
  pass()
  const half = offset + Math.ceil((bytes.length - offset) / 2)
  const written = nodeFs.writeSync(fd, bytes, offset, half - offset)
  pass()
  return written + (half < bytes.length ? nodeFs.writeSync(fd, bytes, half) : 0)
}

const clock = { nowMs: () => 0, wallMs: () => Date.now(), after: () => () => {} }
const store = new Store({ dir: dir!, clock: clock as never, fs: fs as unknown as StoreFs })
for (const [number, step] of (JSON.parse(nodeFs.readFileSync(story!, 'utf8')) as Step[]).entries()) {
  if (step.kind === 'remove') store.remove(step.name)
  else store[step.kind](step.name, step.text)
  nodeFs.writeSync(1, `${number}\n`)
}
if (point === '0') nodeFs.writeSync(1, `${passed} points\n`)
