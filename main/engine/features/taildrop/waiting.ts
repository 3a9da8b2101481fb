/**
 * Where files go that come in, and those that wait with the engine until they are fetched.
 *
 *   folder     the one of the settings, or else the staged one: <stateDir>/files/<login>-uid-<user ID>, as the stock daemon has it
 *   bus        FilesWaiting {} stands in every message while a staged file waits; a new one is told at once
 *   LocalAPI   files/ lists (and waits for) staged files, gives their content, removes them
 *
 * Looks at the disk come one at a time; what is told between them is the last one's.
 */
import type { Clock } from '../../base/env.ts'
import { EngineError } from '../../base/errors.ts'
import type { UserProfile } from '../../core/tailcfg/types.ts'
import { InboxFault } from '../../core/taildrop/files.ts'
import type { WaitingFile } from '../../core/taildrop/files.ts'
import { nameFault } from '../../core/taildrop/names.ts'
import { whyOf } from '../../core/taildrop/whys.ts'
import type { InboxState, TaildropSettings, TransferWhy } from '../../../localapi/transfers.ts'
import type { Notify } from '../../../localapi/types.ts'
import type { Inbox } from './ports.ts'

/** What is known of the disk is told without looking again for so long. */
const FRESH_MS = 10_000

export interface WaitingDeps {
  readonly clock: Clock
  readonly inbox: Pick<Inbox, 'look' | 'waiting' | 'read' | 'remove' | 'sweep'>
  readonly settings: () => TaildropSettings
  /** Whose device this is; undefined: nobody's. */
  readonly owner: () => UserProfile | undefined
  /** The engine's own folder of this name; the one that it lies in is there. */
  readonly stagedFolder: (name: string) => string
  readonly emit: (part: Partial<Notify>) => void
  /** `state` is another now. */
  readonly changed: () => void
}

/** What the LocalAPI asks for. */
export interface WaitingDoors {
  /** Staged files by name; waits up to `waitMs` for the first. Rejects with EngineError. */
  list(waitMs: number, gone: AbortSignal): Promise<readonly WaitingFile[]>
  /** undefined: there is none. Rejects with EngineError. */
  read(name: string): ReturnType<Inbox['read']>
  remove(name: string): Promise<void>
}

export function makeWaiting(deps: WaitingDeps): Waiting {
  return new Waiting(deps)
}

export class Waiting implements WaitingDoors {
  readonly #deps: WaitingDeps
  readonly #waiters = new Set<() => void>()
  #files: readonly WaitingFile[] = []
  #state: InboxState = { Folder: '', FreeBytes: -1, Waiting: 0 }
  #lookedMs = -Infinity
  #looking: Promise<void> | undefined
  #again = false
  #key = ''

  constructor(deps: WaitingDeps) {
    this.#deps = deps
  }

  /** Where files go now; "" before it is known whose device this is. */
  folder(): string {
    return this.#deps.settings().Folder || (this.#staged() ?? '')
  }

  /** Whether what lies in this folder waits to be fetched. */
  isStaged(folder: string): boolean {
    return folder === this.#staged()
  }

  standing(): Partial<Notify> {
    return this.#files.length > 0 ? { FilesWaiting: {} } : {}
  }

  /** As last seen; one that is old is looked at again, and told by `changed`. */
  state(): InboxState {
    if (this.#deps.clock.nowMs() - this.#lookedMs > FRESH_MS) void this.refresh()
    return this.#state
  }

  /** The settings or the owner may be others now. */
  changed(): void {
    const key = `${stagedName(this.#deps.owner()) ?? ''}\0${this.#deps.settings().Folder}`
    if (key === this.#key) return
    this.#key = key
    void this.refresh()
  }

  stop(): void {
    for (const wake of this.#waiters) wake()
  }

  /** Looks at the disk, once more after one that is under way. Never rejects. */
  refresh(): Promise<void> {
    if (this.#looking) this.#again = true
    return (this.#looking ??= this.#lookUntilDone())
  }

  async #lookUntilDone(): Promise<void> {
    try {
      do {
        this.#again = false
        await this.#look()
      } while (this.#again)
    } finally {
      this.#looking = undefined
    }
  }

  async list(waitMs: number, gone: AbortSignal): Promise<readonly WaitingFile[]> {
    await this.refresh()
    if (this.#files.length > 0 || waitMs <= 0 || gone.aborted) return this.#files
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        takeBack()
        gone.removeEventListener('abort', wake)
        this.#waiters.delete(wake)
        resolve()
      }
      const takeBack = this.#deps.clock.after(waitMs, wake)
      gone.addEventListener('abort', wake)
      this.#waiters.add(wake)
    })
    return this.#files
  }

  async read(name: string): ReturnType<Inbox['read']> {
    assertName(name)
    const folder = this.#staged()
    return folder === undefined ? undefined : asEngineError(this.#deps.inbox.read(folder, name))
  }

  async remove(name: string): Promise<void> {
    assertName(name)
    const folder = this.#staged()
    if (folder === undefined) return
    await asEngineError(this.#deps.inbox.remove(folder, name))
    await this.refresh()
  }

  /** Takes away what is partial and older, where files go and where they went. Never rejects. */
  async sweep(olderMs: number): Promise<void> {
    for (const folder of new Set([this.#staged() ?? '', this.#deps.settings().Folder])) if (folder !== '') await this.#deps.inbox.sweep(folder, olderMs)
  }

  #staged(): string | undefined {
    const name = stagedName(this.#deps.owner())
    return name === undefined ? undefined : this.#deps.stagedFolder(name)
  }

  async #look(): Promise<void> {
    const { inbox, settings, clock } = this.#deps
    const { Folder } = settings()
    const staged = this.#staged()
    const place = this.folder()
    const { freeBytes, fault } = place === '' ? NOWHERE : await inbox.look(place)
    const files = staged === undefined ? [] : await inbox.waiting(staged).catch(() => [])
    this.#lookedMs = clock.nowMs()
    this.#take(files, { Folder, FreeBytes: freeBytes, Waiting: files.length, ...(fault ? { Problem: problemOf(fault) } : {}) })
  }

  #take(files: readonly WaitingFile[], state: InboxState): void {
    const before = new Map(this.#files.map((one) => [one.name, one.size]))
    const hasNew = files.some((one) => before.get(one.name) !== one.size)
    const isOther = JSON.stringify(state) !== JSON.stringify(this.#state)
    this.#files = files
    this.#state = state
    if (hasNew) this.#deps.emit({ FilesWaiting: {} })
    if (isOther) this.#deps.changed()
    if (files.length > 0) for (const wake of this.#waiters) wake()
  }
}

const NOWHERE = { freeBytes: -1, fault: new InboxFault('folder-gone', 'No folder is chosen, and the engine keeps none.') }

const problemOf = (fault: InboxFault): TransferWhy => whyOf(fault.code, fault.message)

/** The name of a user's staged folder: no login name leads out of where it lies. */
function stagedName(owner: UserProfile | undefined): string | undefined {
  return owner && `${owner.LoginName.replaceAll('@', '-').replaceAll(/[^\w.+-]/g, '_').slice(0, 100)}-uid-${owner.ID}`
}

/** The stock daemon's words, and its status (server/files.ts). */
function assertName(name: string): void {
  if (nameFault(name) !== undefined) throw new EngineError('io', 'invalid filename')
}

async function asEngineError<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new EngineError('io', error instanceof Error ? error.message : 'The disk reported a fault.', { cause: error })
  }
}
