/**
 * The words for files on their way, and the line that shows how far they are. Pure.
 */
import { isMoving, isOver } from '../../localapi/transfers.ts'
import type { TransferPath, TransferRow, TransferWhy } from '../../localapi/transfers.ts'
import { printable } from '../text.ts'

const UNITS = ['kB', 'MB', 'GB', 'TB'] as const

/** "0 bytes", "1 byte", "999 bytes", "1.2 kB", "40 MB". */
export function bytes(count: number): string {
  if (count < 0) return 'size not known'
  if (count < 1_000) return count === 1 ? '1 byte' : `${Math.round(count)} bytes`
  let value = count / 1_000
  let at = 0
  while (value >= 999.5 && at < UNITS.length - 1) {
    value /= 1_000
    at++
  }
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ${UNITS[at]!}`
}

/** "4 s", "3 min", "2 h". */
export function left(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1_000))
  if (seconds < 100) return `${seconds} s`
  return seconds < 5_400 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}

/** "direct", "relayed by ams", "through nas"; "" while it is not known. */
export function pathWord(path: TransferPath | undefined): string {
  switch (path?.Kind) {
    case 'direct':
      return 'direct'
    case 'relay':
      return path.Via === '' ? 'relayed' : `relayed by ${printable(path.Via)}`
    case 'peer-relay':
      return path.Via === '' ? 'through a device' : `through ${printable(path.Via)}`
    case 'unknown':
    case undefined:
      return ''
  }
}

/** A why as a clause: no capital, no full stop. */
export function whyWords(why: TransferWhy | undefined): string {
  return why === undefined ? 'no reason was told' : printable(why.Text).replace(/[.!]$/, '')
}

/** What it is called over there: a packed folder gets an ending. */
export const nameOf = (row: TransferRow): string => printable(row.Kind === 'archive' && !row.Name.endsWith('.zip') ? `${row.Name}.zip` : row.Name)

/** What becomes of a row, in the words of every door. */
export function stateWords(row: TransferRow): string {
  const peer = printable(row.PeerName)
  switch (row.State) {
    case 'queued':
      return row.Why ? `Waiting: ${whyWords(row.Why)}` : 'Waiting for its turn'
    case 'waiting-device':
      return `Waiting for ${peer}`
    case 'waiting-answer':
      return row.Direction === 'in' ? 'Waiting for your answer' : 'Waiting for their answer'
    case 'sending':
      return 'Sending'
    case 'receiving':
      return 'Receiving'
    case 'checking':
      return 'Checking'
    case 'paused':
      return row.Size > 0 ? `Paused at ${percent(row.Done, row.Size)} %` : 'Paused'
    case 'delivered':
      return row.Checked ? 'Delivered and checked there' : 'Delivered'
    case 'received':
      return 'Received'
    case 'stopped':
      return `Stopped: ${whyWords(row.Why)}`
    case 'canceled':
      return 'Canceled'
  }
}

const percent = (done: number, size: number): number => Math.min(100, Math.floor((done / size) * 100))

/** How far these rows are, in one line: what, how much of it, rate, time left, path. */
export function progressLine(rows: readonly TransferRow[]): string {
  const moving = rows.filter(isMoving)
  const open = rows.filter((row) => !isOver(row) && row.State !== 'stopped')
  const [first] = moving.length > 0 ? moving : open
  if (first === undefined) return ''
  if (moving.length === 0) return parts([rows.length === 1 ? nameOf(first) : count(rows), stateWords(first)])
  const size = sum(rows.map((row) => row.Size))
  const done = rows.reduce((total, row) => total + row.Done, 0)
  const rate = moving.reduce((total, row) => total + (row.Rate ?? 0), 0)
  const restMs = rows.length === 1 ? first.LeftMs : rate > 0 && size >= 0 ? ((size - done) / rate) * 1_000 : undefined
  return parts([
    rows.length === 1 ? nameOf(first) : count(rows),
    first.State === 'checking' && moving.length === 1 ? stateWords(first) : size < 0 ? bytes(done) : `${bytes(done)} of ${bytes(size)}${size > 0 ? ` (${percent(done, size)} %)` : ''}`,
    rate > 0 ? `${bytes(rate)}/s` : '',
    restMs === undefined ? '' : `${left(restMs)} left`,
    pathWord(first.Path),
    rows.length === 1 ? '' : nameOf(first),
  ])
}

const parts = (texts: readonly string[]): string => texts.filter((text) => text !== '').join('   ')
const count = (rows: readonly TransferRow[]): string => `${rows.filter(isOver).length} of ${rows.length} sent`

function sum(sizes: readonly number[]): number {
  return sizes.some((size) => size < 0) ? -1 : sizes.reduce((total, size) => total + size, 0)
}

/** What became of a row that is over or stopped, as a sentence for people. */
export function outcome(row: TransferRow): string {
  const peer = printable(row.PeerName)
  const packed = row.Kind === 'archive' ? `, packed as ${nameOf(row)}` : ''
  const about = listed([bytes(row.Size), row.Files > 1 ? `${row.Files} files` : '', pathWord(row.Path)])
  if (row.State === 'delivered') return `${printable(row.Name)}: delivered to ${peer}${row.Checked ? ' and checked there' : ''}${packed} (${about})`
  if (row.State === 'canceled') return `${printable(row.Name)}: canceled`
  return `${printable(row.Name)}: not sent to ${peer}: ${whyWords(row.Why)}`
}

const listed = (texts: readonly string[]): string => texts.filter((text) => text !== '').join(', ')
