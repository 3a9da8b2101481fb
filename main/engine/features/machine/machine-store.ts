/**
 * What an engine keeps of its whole-computer mode, in a file of its own: the wish, and what a later engine has to know of the one that died.
 */
import type { MachineMode } from '../../../localapi/machine.ts'

export interface MachineStorePort {
  load<T>(name: string, parse: (text: string) => T | undefined): { readonly value: T } | undefined
  /** On disk when it returns; throws EngineError('io'). */
  save(name: string, text: string): void
}

export interface SavedMachine {
  /** Absent: nobody has said. */
  readonly mode?: MachineMode
  /** Something of the system was changed and not yet changed back. */
  readonly touched: boolean
  /** Traffic to the internet was to go nowhere but into the tunnel. */
  readonly keptIn: boolean
}

const FILE = 'machine'
const NOTHING: SavedMachine = { touched: false, keptIn: false }

export function loadMachine(store: MachineStorePort): SavedMachine {
  return store.load(FILE, parse)?.value ?? NOTHING
}

/** Throws EngineError('io'). */
export function saveMachine(store: MachineStorePort, saved: SavedMachine): void {
  store.save(FILE, JSON.stringify({ version: 1, ...saved }))
}

function parse(text: string): SavedMachine | undefined {
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof raw !== 'object' || raw === null) return undefined
  const { mode, touched, keptIn } = raw as Record<string, unknown>
  return { ...(mode === 'apps' || mode === 'whole' ? { mode } : {}), touched: touched === true, keptIn: keptIn === true }
}
