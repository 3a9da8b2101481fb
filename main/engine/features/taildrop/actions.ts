/**
 * What clients ask of transfers, checked by shape before anything is done.
 */
import { EngineError } from '../../base/errors.ts'
import { isBatch, MAX_OFFER_ITEMS } from '../../core/taildrop/wire.ts'
import type { SendItem, TransferAction } from '../../../localapi/transfers.ts'

const MAX_PATH = 4_096

/** Throws EngineError('bad-argument') for what is no action, and EngineError('access-denied') for one that names places which this caller may not. */
export function parseAction(body: unknown, mayNamePaths: boolean): TransferAction {
  const action = actionOf(body)
  if (mayNamePaths || !namesPaths(action)) return action
  throw new EngineError('access-denied', action.Do === 'send' ? 'Files of another user are not read by their path: give them to bowline/spool, and send what it answers.' : 'Only the user that the engine runs as can choose a folder.')
}

function actionOf(body: unknown): TransferAction {
  if (!isRecord(body)) throw bad('a transfer action is a JSON object')
  const { Do, Peer, Items, ID, Batch, Folder, Always } = body
  switch (Do) {
    case 'send':
      if (!isId(Peer)) throw bad('Peer wants the stable ID of a device')
      if (!Array.isArray(Items) || Items.length === 0 || Items.length > MAX_OFFER_ITEMS) throw bad(`Items wants 1 to ${MAX_OFFER_ITEMS} things to send`)
      return { Do, Peer, Items: Items.map(parseItem) }
    case 'pause': case 'resume': case 'retry': case 'cancel':
      if (!isId(ID)) throw bad('ID wants that of a transfer or of a batch')
      return { Do, ID }
    case 'forget':
      if (ID !== undefined && !isId(ID)) throw bad('ID wants that of a transfer or of a batch')
      return { Do, ...(ID === undefined ? {} : { ID }) }
    case 'accept': case 'refuse':
      if (!isBatch(Batch) && !isId(Batch)) throw bad('Batch wants that of an ask')
      if (Always !== undefined && typeof Always !== 'boolean') throw bad('Always is true or false')
      if (Folder !== undefined && (Do === 'refuse' || !isPath(Folder))) throw bad('Folder wants an absolute path, and goes with accept')
      return { Do, Batch, ...(Folder === undefined ? {} : { Folder }), ...(Always === undefined ? {} : { Always }) } as TransferAction
    default:
      throw bad('Do is one of send, pause, resume, retry, cancel, forget, accept, refuse')
  }
}

function namesPaths(action: TransferAction): boolean {
  if (action.Do === 'send') return action.Items.some((item) => 'Path' in item)
  return action.Do === 'accept' && action.Folder !== undefined
}

function parseItem(raw: unknown): SendItem {
  if (!isRecord(raw)) throw bad('an item is a JSON object')
  const { Path, Spool, Name } = raw
  if (Name !== undefined && typeof Name !== 'string') throw bad('Name wants a text')
  if (Path !== undefined && Spool !== undefined) throw bad('an item has Path or Spool, not both')
  if (isPath(Path)) return { Path, ...(Name === undefined ? {} : { Name }) }
  if (isId(Spool) && Name !== undefined) return { Spool, Name }
  throw bad('an item has Path (absolute), or Spool and Name')
}

const isId = (value: unknown): value is string => typeof value === 'string' && /^[\w.-]{1,64}$/.test(value)
const isPath = (value: unknown): value is string => typeof value === 'string' && value.length <= MAX_PATH && !value.includes('\0') && /^(\/|[A-Za-z]:[\\/]|\\\\)/.test(value)
const bad = (text: string): EngineError => new EngineError('bad-argument', `${text}.`)

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
