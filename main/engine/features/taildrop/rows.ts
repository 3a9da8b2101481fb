/**
 * One transfer as the engine keeps it: what clients see of it, and of one that goes out where its bytes are.
 */
import { toHex } from '../../base/bytes.ts'
import type { Env, MonoMs, WallMs } from '../../base/env.ts'
import type { SourceRef } from '../../core/taildrop/files.ts'
import { RateMeter } from '../../core/taildrop/rate.ts'
import type { TransferKind, TransferPath, TransferRow, TransferState, TransferWhy } from '../../../localapi/transfers.ts'

/** Of what goes out: its bytes, and what they were when it was added. */
export interface RowSource {
  readonly ref: SourceRef
  readonly isFolder: boolean
  /** Bytes of all files, without what packing adds. */
  size: number
  print: string
  /** How many things its batch was made of. */
  readonly of: number
}

export interface Row {
  readonly id: string
  readonly batch: string
  readonly direction: 'out' | 'in'
  /** Stable ID. */
  readonly peer: string
  peerName: string
  readonly name: string
  kind: TransferKind
  files: number
  /** -1: not known. */
  size: number
  done: number
  state: TransferState
  checked: boolean
  why: TransferWhy | undefined
  readonly createdMs: WallMs
  /** Since when it is over, or stopped. */
  finishedMs: WallMs | undefined
  /** undefined: it comes in, or another program sends it by itself. */
  readonly source: RowSource | undefined
  /** Of what comes in: where to, "" = with the engine; and the name it got. */
  readonly savedIn: string | undefined
  savedAs: string | undefined
  /** Both only while bytes move. */
  meter: RateMeter | undefined
  path: TransferPath | undefined
}

export type NewRow = Pick<Row, 'id' | 'batch' | 'direction' | 'peer' | 'peerName' | 'name' | 'kind' | 'files' | 'size' | 'state' | 'createdMs'> & Partial<Row>

export function makeRow(row: NewRow): Row {
  return { done: 0, checked: false, why: undefined, finishedMs: undefined, source: undefined, savedIn: undefined, savedAs: undefined, meter: undefined, path: undefined, ...row }
}

const WITH_WHY: ReadonlySet<TransferState> = new Set<TransferState>(['stopped', 'waiting-device', 'paused', 'queued'])

/** A fresh ID. Later ones come later in the order of texts, also of those made in the same moment. */
export function nextId({ clock, random }: Env): string {
  made = (made + 1) % 0x100_000
  return `${clock.wallMs().toString(16).padStart(12, '0')}${made.toString(16).padStart(5, '0')}${toHex(random.bytes(4)).slice(1)}`
}

let made = 0

/** Bytes that are there by now, for its rate. */
export function noteDone(row: Row, done: number, nowMs: MonoMs): void {
  row.done = done
  row.meter ??= new RateMeter()
  row.meter.note(done, nowMs)
}

/** As clients see it. */
export function rowJson(row: Row, nowMs: MonoMs): TransferRow {
  const rate = row.meter?.rate(nowMs)
  const left = row.meter?.leftMs(row.size, nowMs)
  return {
    ID: row.id, Batch: row.batch, Direction: row.direction, Peer: row.peer, PeerName: row.peerName, Name: row.name, Kind: row.kind,
    Files: row.files, Size: row.size, Done: row.done, State: row.state, Checked: row.checked,
    ...(row.why && WITH_WHY.has(row.state) ? { Why: row.why } : {}),
    ...(rate === undefined ? {} : { Rate: rate }),
    ...(left === undefined ? {} : { LeftMs: left }),
    ...(row.path ? { Path: row.path } : {}),
    Created: new Date(row.createdMs).toISOString(),
    ...(row.finishedMs === undefined ? {} : { Finished: new Date(row.finishedMs).toISOString() }),
    ...(row.savedAs === undefined ? {} : { SavedAs: row.savedAs }),
    ...(row.savedIn === undefined ? {} : { SavedIn: row.savedIn }),
  }
}
