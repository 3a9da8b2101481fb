/**
 * Finds the key that the state is sealed with, or makes one, or says why there is none.
 *
 *   sealed state     → its keeper is asked: open, or locked (asked again until it answers)
 *   plain or none    → the first keeper that takes a new key and gives it back is used; the state is then written anew
 *   no keeper        → the state stays plain, and that is told
 *   not wanted       → a sealed state is opened, written plain, and its key is taken back from the keeper
 */
import { toHex } from '../base/bytes.ts'
import type { Random } from '../base/env.ts'
import { errorText } from '../base/errors.ts'
import type { KeyKeeper } from './key-keeper.ts'
import { parseEnvelope } from './sealed-store.ts'
import type { SealKey } from './sealed-store.ts'
import type { Store } from './store.ts'

export type StateKey =
  /** `isNew`: the state is still as it was, to be written anew with this key. */
  | { readonly kind: 'sealed'; readonly key: SealKey; readonly isNew: boolean }
  /** `why` is a clause. */
  | { readonly kind: 'plain'; readonly why: string }
  /** The state is sealed and its key cannot be had now. */
  | { readonly kind: 'locked'; readonly why: string }
  /** The state is sealed, and shall be no more: open it with this key, write it plain, then call `done`. */
  | { readonly kind: 'unseal'; readonly key: SealKey; readonly done: () => Promise<void> }

export interface StateKeyOptions {
  readonly store: Pick<Store, 'peek'>
  readonly file: string
  readonly random: Random
  readonly keepers: readonly KeyKeeper[]
  /** false: the state is to be plain. */
  readonly wanted: boolean
}

/** Bounded in time by its keepers; throws nothing but EngineError('io') of a file that cannot be read. */
export async function findStateKey({ store, file, random, keepers, wanted }: StateKeyOptions): Promise<StateKey> {
  const envelope = store.peek(file).map(parseEnvelope).find((found) => found !== undefined)
  if (envelope) {
    const found = await keyOf(envelope.name, envelope.keeper, keepers)
    if (found.kind === 'locked' || wanted) return found
    const keeper = keepers.find(({ kind }) => kind === found.key.keeper)
    return { kind: 'unseal', key: found.key, done: async () => keeper?.remove(found.key.name) }
  }
  if (!wanted) return { kind: 'plain', why: 'as was asked for' }
  let why = 'no keyring serves this session'
  for (const keeper of keepers) {
    const name = toHex(random.bytes(8))
    const key = random.bytes(32)
    const failure = await tryToKeep(keeper, name, key)
    if (failure === undefined) return { kind: 'sealed', key: { keeper: keeper.kind, name, key }, isNew: true }
    why = failure
  }
  return { kind: 'plain', why }
}

async function keyOf(name: string, kind: string, keepers: readonly KeyKeeper[]): Promise<Extract<StateKey, { kind: 'sealed' | 'locked' }>> {
  const keeper = keepers.find((candidate) => candidate.kind === kind)
  if (!keeper) {
    const where = kind === 'host' ? 'by the desktop app, which is not running this engine' : "in the system's keyring, and this session has none"
    return { kind: 'locked', why: `its key was put away ${where}` }
  }
  const found = await keeper.load(name)
  if (found.kind === 'key') return { kind: 'sealed', key: { keeper: keeper.kind, name, key: found.key }, isNew: false }
  return { kind: 'locked', why: found.kind === 'none' ? "the system's keyring no longer holds its key; bring the keyring back, or move the state file away and sign in anew" : found.why }
}

/** Keeps a key and asks for it again; undefined when it came back as it was, else why not. */
async function tryToKeep(keeper: KeyKeeper, name: string, key: Uint8Array): Promise<string | undefined> {
  try {
    await keeper.save(name, key)
  } catch (error) {
    return errorText(error)
  }
  const back = await keeper.load(name)
  if (back.kind === 'key' && toHex(back.key) === toHex(key)) return undefined
  await keeper.remove(name)
  return back.kind === 'locked' || back.kind === 'absent' ? back.why : 'the keyring did not give back what it was given'
}
