/**
 * Takes the accounts of another engine of the same computer. The receiver's side, which alone decides what becomes of an offer.
 *
 *   unknown ── asked for ──▶ refused         (for good: an offer that comes later finds that)
 *   unknown ── offered ──▶ trying ── Running with it ──▶ kept
 *                          trying ── not Running in time, or an engine that starts and finds it so ──▶ wiped, then refused
 *
 * Written down before it is acted upon (`adoptions`): trying before the keys are on disk, kept before the giver hears of it, refused after the
 * keys are gone from disk.
 */
import { EngineError } from '../base/errors.ts'
import type { Env } from '../base/env.ts'
import { PrivateKey } from '../base/keys.ts'
import type { AdoptPage, AdoptRequest } from '../../localapi/service.ts'
import { DEFAULT_EXTRAS } from '../../localapi/extras.ts'
import type { Model } from './model.ts'
import type { MovingPort, StorePort } from './ports.ts'
import type { Profiles } from './profiles.ts'
import type { ProfileSwitch } from './profile-switch.ts'
import { parseState } from './saved-state.ts'
import type { Os, SavedProfile, SavedProfiles } from './saved-state.ts'

const FILE = 'adoptions'
/** From the offer until it runs. */
const TRY_MS = 45_000
const KEPT_ROWS = 64

type Row = Pick<AdoptPage, 'ID' | 'Phase' | 'Why'>

export interface AdoptionDeps {
  readonly env: Env
  readonly model: Model
  readonly store: StorePort
  readonly profiles: Profiles
  readonly switch: ProfileSwitch
  readonly os: Os
  readonly moving: MovingPort | undefined
}

export class Adoption {
  readonly #deps: AdoptionDeps
  #rows: readonly Row[] | undefined
  #trying: string | undefined
  #cancel: (() => void) | undefined

  constructor(deps: AdoptionDeps) {
    this.#deps = deps
  }

  /** After the state was read and before any of it is used: what an earlier life was trying is given up. */
  settle(): void {
    const row = this.#all().find(({ Phase }) => Phase === 'trying')
    if (!row) return
    this.#deps.profiles.removeAll()
    this.#note({ ID: row.ID, Phase: 'refused', Why: { Code: 'interrupted', Text: 'The service ended before it was connected.' } })
  }

  /** What became of an offer. Without an ID: whether one would be tried. Throws EngineError('bad-argument'). */
  page(id: string | undefined): AdoptPage {
    if (id === undefined) return this.#deps.profiles.list().length === 0 && this.#trying === undefined ? { ID: '', Phase: 'ready' } : { ID: '', Phase: 'refused', Why: OCCUPIED }
    assertId(id)
    const row = this.#all().find(({ ID }) => ID === id)
    if (row) return row
    return this.#note({ ID: id, Phase: 'refused', Why: { Code: 'never-came', Text: 'The offer never came here.' } })
  }

  /** Takes an offer and tries it; `operator` may change things from then on ('' = nobody more). Throws EngineError('bad-argument' | 'io'). */
  take(body: unknown, operator: string): AdoptPage {
    const { profiles } = this.#deps
    const { ID, State, Trust } = readRequest(body)
    const known = this.#all().find((row) => row.ID === ID)
    if (known) return known
    if (profiles.list().length > 0 || this.#trying !== undefined) return this.#note({ ID, Phase: 'refused', Why: OCCUPIED })
    const saved = this.#read(State, operator)
    if (!saved) return this.#note({ ID, Phase: 'refused', Why: { Code: 'bad-state', Text: 'What was offered is no state of an engine that is signed in.' } })
    this.#note({ ID, Phase: 'trying' })
    this.#trying = ID
    for (const [server, pem] of Object.entries(Trust)) this.#trust(pem, server)
    let isSafe = false
    this.#deps.switch.exchange('the accounts of another engine of this computer are taken', () => (isSafe = profiles.adopt(saved)))
    if (!isSafe) this.#giveUp('not-saved', 'What was offered could not be saved here.')
    // An account that is at rest has nothing to prove.
    else if (!saved.current.prefs.WantRunning || !saved.current.nodeKey) this.#keep()
    else {
      this.#cancel = this.#deps.env.clock.after(TRY_MS, () => this.#giveUp('not-connected', `It did not become connected within ${TRY_MS / 1_000} s.`))
      this.note()
    }
    return this.page(ID)
  }

  /** The life of the engine, or its connection to the server, is another. */
  note(): void {
    const { life, control } = this.#deps.model
    if (this.#trying === undefined || this.#cancel === undefined) return
    if (life.name === 'Running' && control.kind === 'running' && life.map === 'control') this.#keep()
  }

  stop(): void {
    this.#cancel?.()
  }

  #keep(): void {
    this.#end({ ID: this.#trying!, Phase: 'kept' }, 'it runs here')
  }

  #giveUp(Code: string, Text: string): void {
    this.#deps.switch.exchange('what was taken is given up', () => this.#deps.profiles.removeAll())
    this.#end({ ID: this.#trying!, Phase: 'refused', Why: { Code, Text } }, Text)
  }

  #end(row: Row, why: string): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#note(row)
    this.#trying = undefined
    this.#deps.env.log.info(`accounts of another engine: trying → ${row.Phase} (${why})`)
    this.#deps.env.journal.add({ part: 'backend', kind: 'adoption', why, kept: row.Phase === 'kept' })
  }

  /** Who runs the receiver writes with its rights: folders that a person chose for theirs do not count. */
  #read(text: string, operator: string): SavedProfiles | undefined {
    const parsed = parseState(text, { os: this.#deps.os, newDiscoKey: () => PrivateKey.fromRandom(this.#deps.env.random.bytes(32)) })
    if (!parsed || ![parsed.current, ...parsed.others].some(({ nodeKey }) => nodeKey)) return undefined
    const ours = <P extends SavedProfile>(profile: P): P => ({
      ...profile,
      prefs: { ...profile.prefs, OperatorUser: operator === '' ? (profile.prefs.OperatorUser ?? '') : operator },
      extras: { ...profile.extras, Taildrop: { ...profile.extras.Taildrop, Folder: DEFAULT_EXTRAS.Taildrop.Folder } },
    })
    return { current: ours(parsed.current), others: parsed.others.map(ours) }
  }

  #trust(pem: string, server: string): void {
    try {
      this.#deps.moving?.trust(pem, server)
    } catch {
      // Without it the server is not reached, and the offer comes to nothing by itself.
      this.#deps.env.log.warn('a certificate of the accounts that are taken was not let in')
    }
  }

  #all(): readonly Row[] {
    return (this.#rows ??= this.#deps.store.load(FILE, parseRows)?.value ?? [])
  }

  /** On disk when it returns; throws EngineError('io'). */
  #note(row: Row): AdoptPage {
    const rows = [...this.#all().filter(({ ID }) => ID !== row.ID), row].slice(-KEPT_ROWS)
    this.#deps.store.save(FILE, JSON.stringify({ version: 1, rows }))
    this.#rows = rows
    return row
  }
}

const OCCUPIED = { Code: 'has-its-own', Text: 'It is signed in with an account of its own already. Sign out there first: bowline logout' }

function assertId(id: string): void {
  if (!/^[0-9a-f]{32}$/.test(id)) throw new EngineError('bad-argument', 'An offer has an ID of 32 hex digits.')
}

function readRequest(body: unknown): AdoptRequest {
  const { ID, State, Trust } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  if (typeof ID !== 'string' || typeof State !== 'string' || typeof Trust !== 'object' || Trust === null) throw new EngineError('bad-argument', 'An offer has ID, State and Trust.')
  assertId(ID)
  return { ID, State, Trust: Object.fromEntries(Object.entries(Trust).filter((row): row is [string, string] => typeof row[1] === 'string')) }
}

function parseRows(text: string): readonly Row[] | undefined {
  try {
    const { rows } = JSON.parse(text) as { rows?: unknown }
    if (!Array.isArray(rows)) return undefined
    return (rows as Row[]).filter(({ ID, Phase }) => typeof ID === 'string' && ['trying', 'kept', 'refused'].includes(Phase))
  } catch {
    return undefined
  }
}
