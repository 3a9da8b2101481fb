/**
 * The lab's native programs: the forwarder (links between namespaces) and natlab-traffic (ordinary traffic, marks in records).
 * Built with cargo once a process, in seconds and without the network.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runOk } from '../support/child.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const target = `${root}build/.cache/forwarder`
let building: Promise<string> | undefined

/** Builds them and answers the path of one. */
export async function program(name: 'natlab-forwarder' | 'natlab-traffic'): Promise<string> {
  building ??= runOk('cargo', ['build', '--release', '--locked', '--manifest-path', `${root}test/natlab/forwarder/Cargo.toml`, '--target-dir', target], { timeoutMs: 300_000 })
  await building
  return join(target, 'release', name)
}
