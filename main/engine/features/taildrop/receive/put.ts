/**
 * /v0/put/ of the PeerAPI: files of stock clients, and of Bowlines, which name their offer in a header.
 *
 *   PUT  NAME    the content, from byte N with "Range: bytes=N-"
 *   GET  NAME    hashes of the blocks that are here of it, one JSON object a line
 *   GET          names of what is partial
 *
 * Who may not send gets nothing else. Source: dataplane facts §8.3; order of checks and texts as tailscaled 1.102.5.
 */
import { nameFromPath, partialName } from '../../../core/taildrop/names.ts'
import { readPutRequest } from '../../../core/taildrop/put-request.ts'
import { codeOfFault, type WhyCode } from '../../../core/taildrop/whys.ts'
import { BATCH_HEADER, encodeBlockHash, isBatch, PUT_PATH } from '../../../core/taildrop/wire.ts'
import type { BlockHash, Inbox, ManifestEntry } from '../ports.ts'
import type { Intake } from './intake.ts'
import type { Answer, ReceiverDeps, Route, Visit } from './ports.ts'
import { line, refusal, taken } from './replies.ts'
import type { Slots } from './slots.ts'
import type { ReceiveTold } from './told.ts'

/** Hashes are written this many at a time. */
const HASHES_AT_ONCE = 128

export class PutRoute implements Route {
  readonly path = PUT_PATH
  readonly #deps: ReceiverDeps
  readonly #intake: Intake
  readonly #looks: Slots
  readonly #told: ReceiveTold

  constructor(deps: ReceiverDeps, intake: Intake, looks: Slots, told: ReceiveTold) {
    this.#deps = deps
    this.#intake = intake
    this.#looks = looks
    this.#told = told
  }

  async serve(visit: Visit): Promise<Answer> {
    const isBowline = visit.headers[BATCH_HEADER] !== undefined
    const refuse = (code: WhyCode, offset?: number): Answer => refusal(code, isBowline, offset)
    const code = this.#intake.refusalOf(visit)
    const rest = visit.path.slice(PUT_PATH.length)
    if (code) {
      this.#told.refused(visit.caller.node.StableID, visit.method, code)
      return refuse(code)
    }
    const name = rest === '' ? '' : nameFromPath(rest)
    if (visit.method === 'GET') return name === '' ? await this.#list(visit) : await this.#hashes(visit, name)
    if (visit.method !== 'PUT') return line(405, 'expected method GET or PUT')
    const request = readPutRequest(visit.headers)
    if (typeof request === 'string') return refuse(request)
    if (name === undefined || name === '') {
      this.#told.refused(visit.caller.node.StableID, '', 'bad-name')
      return refuse('bad-name')
    }
    const end = await this.#intake.take(visit, { name, isFolder: false, files: 1, request })
    // To who is gone it is said all the same: the connection may be one of several requests.
    if (end.kind === 'gone') return refuse('stopped')
    return end.kind === 'saved' ? taken(end.saved, isBowline) : refuse(end.code, request.offset)
  }

  async #list({ caller }: Visit): Promise<Answer> {
    const { StableID } = caller.node
    try {
      const names = (await this.#deps.inbox.partials(this.#deps.folder(), StableID)).map((name) => partialName(name, StableID)!)
      return line(200, names.length === 0 ? 'null' : JSON.stringify(names.toSorted((a, b) => (a < b ? -1 : 1))))
    } catch {
      return line(500, 'the folder cannot be read')
    }
  }

  async #hashes(visit: Visit, name: string | undefined): Promise<Answer> {
    if (name === undefined) return line(500, 'invalid filename')
    const batch = visit.headers[BATCH_HEADER]
    const place = this.#intake.placeOf(visit, name, isBatch(batch) ? batch : undefined)
    await this.#intake.yieldSilent(place)
    return await hashAnswer(this.#deps.inbox, this.#looks, visit, place)
  }
}

/** The hashes of what is partial as an answer; what fails before the first of them is a refusal. Few are made at once: each holds open files. */
export async function hashAnswer(inbox: Inbox, looks: Slots, visit: Visit, place: Parameters<Inbox['hashes']>[0], manifest?: readonly ManifestEntry[]): Promise<Answer> {
  const isBowline = manifest !== undefined || visit.headers[BATCH_HEADER] !== undefined
  const release = visit.hold()
  const leave = await looks.enter(place.sender, visit.over)
  release()
  if (typeof leave === 'string') return refusal(leave === 'gone' ? 'stopped' : leave, isBowline)
  const hashes = inbox.hashes(place, manifest)[Symbol.asyncIterator]()
  // An answer whose caller is gone is not even begun.
  const end = (): void => {
    leave()
    hashes.return?.().catch(() => {})
  }
  visit.over.addEventListener('abort', end, { once: true })
  if (visit.over.aborted) end()
  try {
    const first = await hashes.next()
    return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: first.done === true ? '' : inRuns(first.value, hashes) }
  } catch (error) {
    return refusal(codeOfFault(error), isBowline)
  }
}

async function* inRuns(first: BlockHash, rest: AsyncIterator<BlockHash>): AsyncGenerator<string> {
  try {
    let text = encodeBlockHash(first)
    let count = 1
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
      text += encodeBlockHash(next.value)
      if (++count % HASHES_AT_ONCE > 0) continue
      yield text
      text = ''
    }
    if (text !== '') yield text
  } finally {
    await rest.return?.()
  }
}
