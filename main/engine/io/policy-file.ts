/**
 * The device policy as files: JSON objects that an administrator puts on the computer, read at start and again whenever they change.
 *
 * A file counts only while nobody but root and (for one that was named at start) the engine's own user can write it or put another in its
 * place: it is judged by owner and mode, its folder too. One that is refused or broken after it was good keeps what it said
 * before; one that is gone says nothing.
 */
import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync, statSync, unwatchFile, watchFile, type Stats } from 'node:fs'
import { dirname } from 'node:path'
import { errorText } from '../base/errors.ts'
import { mergedPolicy, NO_POLICY, readPolicy, type Policy, type PolicyReading } from '../core/policy/read-policy.ts'

/** Where Linux has the policy of the whole computer. */
export const MACHINE_POLICY = '/etc/bowline/policy.json'

const MAX_BYTES = 256 * 1024
const LOOK_EVERY_MS = 2_000
const OTHERS_MAY_WRITE = 0o022

export interface PolicyPlace {
  readonly path: string
  /** Who may own it, beside root. */
  readonly alsoOwner?: number | undefined
}

export class PolicyFiles {
  readonly #places: readonly PolicyPlace[]
  readonly #lastGood = new Map<string, Policy>()

  /** The first place counts most. */
  constructor(places: readonly PolicyPlace[]) {
    this.#places = places
  }

  /** What the files say now; never throws. */
  read(): PolicyReading {
    const refused: string[] = []
    const from: string[] = []
    const policies = this.#places.map((place) => {
      const found = readPlace(place)
      if (found.kind === 'good') this.#lastGood.set(place.path, found.policy)
      else if (found.kind === 'none') this.#lastGood.delete(place.path)
      else refused.push(`The device policy ${place.path} is not followed: ${found.why}.`)
      const policy = this.#lastGood.get(place.path)
      if (policy) from.push(place.path)
      return policy ?? NO_POLICY
    })
    return { policy: mergedPolicy(policies), refused, from }
  }

  /** Calls back after a change of a file; the way out ends it. */
  watch(changed: () => void): () => void {
    for (const { path } of this.#places) watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, changed)
    return () => {
      for (const { path } of this.#places) unwatchFile(path, changed)
    }
  }
}

type Found = { readonly kind: 'good'; readonly policy: Policy } | { readonly kind: 'none' } | { readonly kind: 'refused'; readonly why: string }

function readPlace({ path, alsoOwner }: PolicyPlace): Found {
  let file: number
  let real: string
  try {
    real = realpathSync(path)
    file = openSync(real, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    return code === 'ENOENT' || code === 'ENOTDIR' ? { kind: 'none' } : { kind: 'refused', why: errorText(error) }
  }
  try {
    const stats = fstatSync(file)
    const why = faultOf(stats, alsoOwner) ?? faultOf(statSync(dirname(real)), alsoOwner, 'its folder')
    if (why !== undefined) return { kind: 'refused', why }
    const policy = readPolicy(JSON.parse(readFileSync(file, 'utf8')))
    return { kind: 'good', policy }
  } catch (error) {
    return { kind: 'refused', why: error instanceof SyntaxError ? 'it is not JSON' : errorText(error) }
  } finally {
    closeSync(file)
  }
}

/** Why a file or folder may have been written by somebody else than an administrator, as a clause. */
function faultOf(stats: Stats, alsoOwner: number | undefined, what: 'it' | 'its folder' = 'it'): string | undefined {
  if (what === 'it' && !stats.isFile()) return 'it is no plain file'
  if (what === 'it' && stats.size > MAX_BYTES) return 'it is too large for a policy'
  if (stats.uid !== 0 && stats.uid !== alsoOwner) return `${what} belongs to user ${stats.uid}, not to root`
  // A folder where everybody may make files but only the owner may take his away, such as /tmp, keeps a file in its place.
  const isSticky = what === 'its folder' && (stats.mode & 0o1000) !== 0
  return (stats.mode & OTHERS_MAY_WRITE) !== 0 && !isSticky ? `${what} can be written by others than its owner` : undefined
}
