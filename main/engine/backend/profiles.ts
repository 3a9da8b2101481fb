/**
 * The profiles of this installation: one in use, the others at rest. Each has its own prefs, node key, disco key and saved
 * map; only the machine key is shared. This file keeps them on disk and knows which are the same account.
 *
 * A profile that nobody has signed in with is not listed, and is forgotten when another one is chosen. What a removed
 * profile held is gone from both generations of the file.
 */
import { errorText } from '../base/errors.ts'
import type { Env } from '../base/env.ts'
import { PrivateKey } from '../base/keys.ts'
import type { LoginProfile } from '../../localapi/types.ts'
import type { Model } from './model.ts'
import type { StorePort } from './ports.ts'
import { forgetFiles, renameOldMap } from './saved-map.ts'
import { freshState, loginProfile, parseState, stateText, STATE_VERSION } from './saved-state.ts'
import type { Os, SavedProfile, SavedProfiles, SavedState } from './saved-state.ts'

const STATE_FILE = 'state'
/** Where version 1 kept the disco key. */
const OLD_DISCO_FILE = 'disco'
const SAVE_AGAIN_MS = 15_000

export interface ProfilesDeps {
  readonly env: Env
  readonly store: StorePort
  readonly model: Model
  readonly os: Os
  /** A save that had failed was tried again. */
  readonly onSaveAgain: () => void
}

export class Profiles {
  readonly #deps: ProfilesDeps
  #others: readonly SavedProfile[] = []
  #retry: (() => void) | undefined
  /** A save that was to leave nothing of before has failed. */
  #wipeOwed = false
  #isHeld = false

  constructor(deps: ProfilesDeps) {
    this.#deps = deps
  }

  /** All keys and profiles, as the file has them: for the engine that takes this node over, and nobody else. */
  secretText(): string {
    return stateText({ current: this.#deps.model.saved, others: this.#others })
  }

  /** From here on no key of ours is in the model, and nothing is written: another engine may be using them. */
  hold(): void {
    const { model, env, os } = this.#deps
    this.#isHeld = true
    this.#others = []
    model.saved = freshState(env.random, os, env.clock.wallMs())
  }

  get isHeld(): boolean {
    return this.#isHeld
  }

  /** The keys are ours again: they are read from the file, or forgotten there too. */
  release(how: 'read' | 'forget'): void {
    this.#isHeld = false
    this.load()
    if (how === 'forget') this.removeAll()
  }

  /** Takes what another engine had, in place of an installation that nobody has signed in with; false: it is not on disk. */
  adopt({ current, others }: SavedProfiles): boolean {
    this.#others = others
    return this.save(current, true)
  }

  /** Reads the file into the model; writes one when there is none. Throws EngineError('bad-state-file' | 'io'). */
  load(): void {
    const { store, model, os, env } = this.#deps
    const oldDisco = store.load(OLD_DISCO_FILE, (text) => PrivateKey.parse(text.trim()))?.value
    const newDiscoKey = (): PrivateKey => oldDisco ?? PrivateKey.fromRandom(env.random.bytes(32))
    const loaded = store.load(STATE_FILE, (text) => parseState(text, { os, newDiscoKey }))
    if (loaded) {
      model.saved = loaded.value.current
      this.#others = loaded.value.others
    }
    if (loaded?.value.version === STATE_VERSION) return
    if (loaded) renameOldMap(store, model.saved.profile.id)
    this.save(model.saved)
    store.remove(OLD_DISCO_FILE)
  }

  /** Keeps the profile in use, on disk when it returns true; a failure is noted in the model. `wipe`: nothing of before stays. */
  save(saved: SavedState, wipe = false): boolean {
    const { store, model, env } = this.#deps
    model.saved = saved
    if (this.#isHeld) return true
    try {
      const text = stateText({ current: saved, others: this.#others })
      if (wipe || this.#wipeOwed) store.replace(STATE_FILE, text)
      else store.save(STATE_FILE, text)
      model.saveFailure = undefined
    } catch (error) {
      // The engine goes on with what it has in memory, says so, and tries again.
      if (model.saveFailure === undefined) env.log.error('the state was not saved', { error: errorText(error) })
      model.saveFailure = errorText(error)
      this.#wipeOwed ||= wipe
      this.#retry ??= env.clock.after(SAVE_AGAIN_MS, () => {
        this.#retry = undefined
        this.save(model.saved, this.#wipeOwed)
        this.#deps.onSaveAgain()
      })
      return false
    }
    this.#wipeOwed = false
    this.stop()
    return true
  }

  /** Stops its timer. */
  stop(): void {
    this.#retry?.()
    this.#retry = undefined
  }

  /** Those that somebody has signed in with, the oldest first. */
  list(): readonly LoginProfile[] {
    return [this.#deps.model.saved, ...this.#others].filter((profile) => profile.nodeKey).toSorted(byAge).map(loginProfile)
  }

  current(): LoginProfile {
    return loginProfile(this.#deps.model.saved)
  }

  /** A profile at rest. */
  other(id: string): SavedProfile | undefined {
    return this.#others.find(({ profile }) => profile.id === id)
  }

  /** Whether a profile belongs to this server. */
  uses(server: string): boolean {
    return [this.#deps.model.saved, ...this.#others].some(({ prefs }) => prefs.ControlURL === server)
  }

  /** Puts the profile in use to rest, unless nobody has signed in with it, and takes another; undefined = a new one. */
  take(next: SavedProfile | undefined): void {
    const { model, env, os } = this.#deps
    const { machineKey, ...left } = model.saved
    const isKept = left.nodeKey !== undefined
    if (!isKept) this.#forgetFiles(left.profile.id)
    this.#others = [...this.#others.filter((profile) => profile !== next), ...(isKept ? [left] : [])]
    this.save(next ? { ...next, machineKey } : this.#fresh(env, os, machineKey))
  }

  /** Forgets a profile at rest, here and on disk. */
  remove(id: string): void {
    this.#others = this.#others.filter(({ profile }) => profile.id !== id)
    this.#forgetFiles(id)
    this.save(this.#deps.model.saved, true)
  }

  /** Forgets all profiles and the machine key, and takes a new one. */
  removeAll(): void {
    const { model, env, os } = this.#deps
    for (const { profile } of [model.saved, ...this.#others]) this.#forgetFiles(profile.id)
    this.#others = []
    this.save(this.#fresh(env, os, undefined), true)
  }

  /** Forgets the files of the profile in use and answers a new one, for the caller to save. */
  replaceCurrent(): SavedState {
    const { model, env, os } = this.#deps
    this.#forgetFiles(model.saved.profile.id)
    return this.#fresh(env, os, model.saved.machineKey)
  }

  /**
   * The state to keep once it is known who has signed in: of several profiles of one account on one server only the
   * oldest place stays, with what was just made.
   */
  merged(saved: SavedState): SavedState {
    const same = this.#others.filter((other) => isSameAccount(other, saved))
    if (same.length === 0) return saved
    const oldest = [...same, saved].toSorted(byAge)[0]!
    for (const { profile } of [...same, saved]) if (profile.id !== oldest.profile.id) this.#forgetFiles(profile.id)
    this.#others = this.#others.filter((other) => !same.includes(other))
    const why = 'the same account was signed in before'
    this.#deps.env.journal.add({ part: 'backend', kind: 'profile-reused', why, profile: oldest.profile.id, merged: same.length })
    return { ...saved, profile: oldest.profile }
  }

  #fresh(env: Env, os: Os, machineKey: PrivateKey | undefined): SavedState {
    for (;;) {
      const fresh = freshState(env.random, os, env.clock.wallMs(), machineKey)
      if (!this.other(fresh.profile.id) && fresh.profile.id !== this.#deps.model.saved.profile.id) return fresh
    }
  }

  #forgetFiles(id: string): void {
    forgetFiles(this.#deps.store, id)
  }
}

/** As the stock daemon judges it: the same server, and the same user or the same node there. */
function isSameAccount(a: SavedProfile, b: SavedProfile): boolean {
  if (a.prefs.ControlURL !== b.prefs.ControlURL) return false
  return (a.user !== undefined && a.user.ID === b.user?.ID) || (a.nodeId !== '' && a.nodeId === b.nodeId)
}

function byAge(a: SavedProfile, b: SavedProfile): number {
  const [first, second] = [Date.parse(a.profile.created), Date.parse(b.profile.created)]
  return first - second || ((a.user?.LoginName ?? '') < (b.user?.LoginName ?? '') ? -1 : 1)
}
