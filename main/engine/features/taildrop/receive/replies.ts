/**
 * How what became of a request is said: to another Bowline as JSON with a code, to stock clients as the line that theirs says.
 *
 * Source: dataplane facts §8.3; texts as tailscaled 1.102.5 gives them. Codes that it does not have are told with our sentence.
 */
import { whyOf, type WhyCode } from '../../../core/taildrop/whys.ts'
import { encodePutAnswer, encodeRefusal } from '../../../core/taildrop/wire.ts'
import type { Saved } from '../ports.ts'
import type { Answer } from './ports.ts'

const TEXT = { 'content-type': 'text/plain; charset=utf-8' } as const
const JSON_TYPE = { 'content-type': 'application/json' } as const
const RETRY_SEC = '5'

const STATUS: Partial<Readonly<Record<WhyCode, number>>> = {
  'not-allowed': 403, 'no-file-sharing': 403, 'not-wanted': 403, 'turned-off': 403, 'canceled-here': 403,
  'bad-name': 400, 'bad-range': 400, 'bad-request': 400,
  busy: 409, 'ask-first': 409,
  'too-much': 413,
  'bad-offset': 416,
  'wrong-size': 422, 'wrong-hash': 422,
  'not-answered': 503, 'too-many': 503,
  'no-space': 507,
}

const NOT_TAKEN = 'Taildrop disabled; no storage directory'
const STOCK_TEXT: Partial<Readonly<Record<WhyCode, string>>> = {
  'not-allowed': NOT_TAKEN, 'no-file-sharing': NOT_TAKEN, 'turned-off': NOT_TAKEN,
  'bad-name': 'invalid filename', 'bad-range': 'invalid Range header', busy: 'file already exists',
}
/** Where a stock client has one for all faults. */
const STOCK_STATUS: Partial<Readonly<Record<WhyCode, number>>> = { 'bad-offset': 500, 'wrong-size': 500 }

export function line(status: number, text: string): Answer {
  return { status, headers: TEXT, body: `${text}\n` }
}

export function json(status: number, body: string): Answer {
  return { status, headers: JSON_TYPE, body }
}

/** `offset`: where a stock client wanted to go on. */
export function refusal(code: WhyCode, isBowline: boolean, offset = 0): Answer {
  const why = whyOf(code)
  const status = (isBowline ? undefined : STOCK_STATUS[code]) ?? STATUS[code] ?? 500
  const answer = isBowline ? json(status, encodeRefusal({ code, text: why.Text })) : line(status, code === 'bad-offset' ? `offset ${offset} out of range` : (STOCK_TEXT[code] ?? why.Text))
  return status === 503 ? { ...answer, headers: { ...answer.headers, 'retry-after': RETRY_SEC } } : answer
}

/** All is there, under its final name. */
export function taken(saved: Saved, isBowline: boolean): Answer {
  return isBowline ? json(200, encodePutAnswer(saved)) : line(200, '{}')
}
