/**
 * What an answer of the device, or the want of one, means for a sending: delivered, refused for good, or worth another try.
 *
 *   a Bowline says a code; a stock daemon a status and a line (dataplane facts §8.3), of which only some are for good
 */
import { isDecodeError } from '../../../base/errors.ts'
import { printable } from '../../../base/printable.ts'
import { SourceFault } from '../../../core/taildrop/files.ts'
import { decodePutAnswer, decodeRefusal } from '../../../core/taildrop/wire.ts'
import type { WireWhy } from '../../../core/taildrop/wire.ts'
import { whyOf } from '../../../core/taildrop/whys.ts'
import type { WhyCode } from '../../../core/taildrop/whys.ts'
import type { SendEnd } from '../ports.ts'
import type { Answer } from './conversation.ts'
import { sendFaultOf } from './fault.ts'
import type { Uploaded } from './upload.ts'

/** Another transfer of the same name, or a connection that the device does not know to be gone. */
const BUSY_MS = 5_000
const LATER_MS = 30_000
const MAX_LINE = 200

/** What a Bowline's own code means here; `again`: another try may end better. */
const MEANINGS: Readonly<Record<string, { readonly code: WhyCode; readonly againMs?: number }>> = {
  'not-allowed': { code: 'peer-not-allowed' },
  'no-file-sharing': { code: 'peer-not-allowed' },
  'not-wanted': { code: 'peer-not-wanted' },
  'not-answered': { code: 'peer-not-answered' },
  'ask-first': { code: 'peer-not-answered' },
  'bad-name': { code: 'peer-bad-name' },
  'no-space': { code: 'peer-no-space' },
  'folder-gone': { code: 'peer-folder' },
  'not-a-folder': { code: 'peer-folder' },
  'no-rights': { code: 'peer-folder' },
  'no-free-name': { code: 'peer-folder' },
  'too-much': { code: 'peer-too-much' },
  'wrong-hash': { code: 'peer-wrong-hash', againMs: 0 },
  'wrong-size': { code: 'peer-wrong-hash', againMs: 0 },
  'bad-offset': { code: 'peer-failed', againMs: 0 },
  'bad-range': { code: 'peer-failed', againMs: 0 },
  busy: { code: 'peer-busy', againMs: BUSY_MS },
  'too-many': { code: 'peer-busy', againMs: BUSY_MS },
  'turned-off': { code: 'peer-busy', againMs: LATER_MS },
  io: { code: 'peer-failed', againMs: LATER_MS },
}

/** The end of an upload that was answered. `size` and `sha256` are what was sent. */
export function endOfUpload({ status, text, size, sha256 }: Uploaded): SendEnd {
  if (status !== 200) return endOfRefusal({ status, text })
  if (sha256 === undefined) return { kind: 'delivered', checked: false }
  const answer = decodePutAnswer(text)
  if (isDecodeError(answer)) return again('peer-bad-answer')
  return answer.sha256 === sha256 && answer.size === size ? { kind: 'delivered', checked: true } : again('peer-wrong-hash')
}

/** The end of whatever was answered with something else than 200. */
export function endOfRefusal({ status, text }: Answer): SendEnd {
  const why = decodeRefusal(text)
  if (why) return endOfWhy(why)
  const line = printable(text.trim(), MAX_LINE)
  switch (status) {
    case 400:
      // The only other thing that a stock daemon calls bad is a Range, which then has been wrong.
      return /range/i.test(line) ? again('peer-failed', said(line)) : refused('peer-bad-name', line)
    case 403:
      return refused('peer-not-allowed', line)
    case 404:
    case 405:
      return refused('peer-no-files')
    case 409:
      return again('peer-busy', undefined, BUSY_MS)
    case 413:
      return refused('peer-too-much')
    case 503:
      return again('peer-busy', said(line), LATER_MS)
    case 507:
      return refused('peer-no-space')
    default:
      if (status < 500) return again('peer-bad-answer', `the device answered with status ${status}`)
      return /no space|disk full|not enough space/i.test(line) ? refused('peer-no-space') : again('peer-failed', said(line))
  }
}

/** What a Bowline says of its own refusal. */
export function endOfWhy({ code, text }: WireWhy): SendEnd {
  const meaning = MEANINGS[code]
  if (!meaning) return refused('peer-failed', text)
  return meaning.againMs === undefined ? refused(meaning.code) : again(meaning.code, undefined, meaning.againMs)
}

/** The end of a try that threw. */
export function endOfFault(error: unknown): SendEnd {
  if (error instanceof SourceFault) return { kind: 'refused', why: whyOf(error.code, error.message) }
  const fault = sendFaultOf(error)
  switch (fault.code) {
    case 'aborted':
      return { kind: 'aborted' }
    case 'away':
      return { kind: 'broken', why: whyOf('peer-away'), isAway: true }
    case 'silent':
      return again('stalled')
    case 'nonsense':
      return again('peer-bad-answer', fault.message)
    case 'broken':
      return again('broken-off')
  }
}

function refused(code: WhyCode, line = ''): SendEnd {
  const why = whyOf(code)
  return { kind: 'refused', why: line === '' ? why : { Code: code, Text: `${why.Text} (${line})` } }
}

function again(code: WhyCode, text?: string, afterMs = 0): SendEnd {
  return { kind: 'broken', why: whyOf(code, text), isAway: false, ...(afterMs > 0 ? { afterMs } : {}) }
}

const said = (line: string): string | undefined => (line === '' ? undefined : `the device says: ${line}`)
