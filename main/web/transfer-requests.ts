/**
 * The window's requests about files: who they go to, what becomes of them, what may come in, and where things lie.
 *
 * The page names rows, batches, offers and devices by their IDs, and never a place of this computer: what names one is refused. Paths are
 * the host's, which has them from the system (a drop, a dialog) or from the engine's own list.
 */
import type { LocalApiClient } from '../client/local-api-client.ts'
import type { OfferedFiles } from '../localapi/app-state.ts'
import type { Extras } from '../localapi/extras.ts'
import { METHODS } from '../localapi/methods.ts'
import type { IncomingRule, SendItem, TaildropSettings, TransferAction, TransferResult } from '../localapi/transfers.ts'
import type { RequestName } from '../../preload/contract.ts'
import { flag, isRecord, oneOf, Refused, shortName, text } from './checks.ts'
import type { Handler, HostActions } from './requests.ts'

/** What a host does about files of its computer for one window; absent in a browser. Each rejects with a `code`. */
export interface FileActions {
  chooseFiles(folder: boolean): Promise<OfferedFiles | null>
  sendFiles(offer: string, peer: string): Promise<TransferResult>
  dropOffer(offer: string): void
  /** `place`: "inbox", or a batch that waits for an answer. */
  chooseFolder(place: string): Promise<{ readonly Folder: string } | null>
  openReceived(id: string, how: 'open' | 'show'): Promise<{ readonly Did: 'opened' | 'shown' }>
  openInbox(): Promise<void>
}

type TransferName = Extract<
  RequestName,
  | 'transferTargets' | 'transferAction' | 'taildropSettings' | 'editTaildrop' | 'chooseFiles' | 'sendFiles' | 'dropOffer' | 'sendSpooled' | 'chooseFolder' | 'openReceived' | 'openInbox'
>

const RULES: readonly IncomingRule[] = ['ask', 'accept', 'refuse']
const SENDERS = 1000
const SPOOLED = 10_000
const NAME_LIMIT = 255

export const TRANSFER_HANDLERS: Readonly<Record<TransferName, Handler>> = {
  transferTargets: (client) => client.json({ method: 'GET', path: METHODS.transferTargets.path }),
  transferAction: (client, _host, send) => act(client, transferAction(send)),
  taildropSettings: async (client) => ((await client.json({ method: 'GET', path: METHODS.extras.path })) as Extras).Taildrop,
  editTaildrop: async (client, _host, send) => ((await client.json({ method: 'PATCH', path: METHODS.editExtras.path, body: { Taildrop: taildropPatch(send) } })) as Extras).Taildrop,
  chooseFiles: (_client, host, send) => {
    const folder = flag(send['folder'], 'folder')
    return filesOf(host).chooseFiles(folder)
  },
  sendFiles: (_client, host, send) => {
    const [offer, peer] = [shortName(send['offer'], 'offer'), shortName(send['peer'], 'peer')]
    return filesOf(host).sendFiles(offer, peer)
  },
  dropOffer: async (_client, host, send) => {
    const offer = shortName(send['offer'], 'offer')
    filesOf(host).dropOffer(offer)
  },
  sendSpooled: (client, host, send) => {
    const [Peer, Items] = [shortName(send['peer'], 'peer'), spooled(send['items'])]
    if (host.files) throw Object.assign(new Error('This window sends files themselves.'), { code: 'not-supported' })
    return act(client, { Do: 'send', Peer, Items })
  },
  chooseFolder: (_client, host, send) => {
    const place = shortName(send['for'], 'for')
    return filesOf(host).chooseFolder(place)
  },
  openReceived: (_client, host, send) => {
    const [id, how] = [shortName(send['id'], 'id'), oneOf(send['how'], 'how', ['open', 'show'] as const)]
    return filesOf(host).openReceived(id, how)
  },
  openInbox: (_client, host) => filesOf(host).openInbox(),
}

function filesOf({ files }: HostActions): FileActions {
  if (!files) throw Object.assign(new Error('A window in a browser does not reach the files of this computer.'), { code: 'not-supported' })
  return files
}

const act = (client: LocalApiClient, body: TransferAction): Promise<unknown> => client.json({ method: 'POST', path: METHODS.transferAction.path, body })

/** Sending goes by offers, and a folder for an ask by `chooseFolder`: a path is never taken. */
function transferAction(send: Record<string, unknown>): TransferAction {
  only(send, ['Do', 'ID', 'Batch', 'Always'])
  const Do = oneOf(send['Do'], 'Do', ['pause', 'resume', 'retry', 'cancel', 'forget', 'accept', 'refuse'] as const)
  if (Do === 'accept' || Do === 'refuse') {
    const always = send['Always'] === undefined ? {} : { Always: flag(send['Always'], 'Always') }
    return { Do, Batch: shortName(send['Batch'], 'Batch'), ...always }
  }
  if (Do === 'forget' && send['ID'] === undefined) return { Do }
  return { Do, ID: shortName(send['ID'], 'ID') }
}

function taildropPatch(send: Record<string, unknown>): Partial<TaildropSettings> {
  only(send, ['Own', 'Others', 'Senders', 'Folder'])
  return {
    ...(send['Own'] === undefined ? {} : { Own: oneOf(send['Own'], 'Own', RULES) }),
    ...(send['Others'] === undefined ? {} : { Others: oneOf(send['Others'], 'Others', RULES) }),
    ...(send['Senders'] === undefined ? {} : { Senders: senders(send['Senders']) }),
    ...(send['Folder'] === undefined ? {} : { Folder: oneOf(send['Folder'], 'Folder', [''] as const) }),
  }
}

function senders(value: unknown): TaildropSettings['Senders'] {
  if (!isRecord(value) || Object.keys(value).length > SENDERS) throw new Refused('Senders must be rules by device')
  return Object.fromEntries(Object.entries(value).map(([id, rule]) => [shortName(id, 'Senders'), oneOf(rule, 'Senders', RULES)]))
}

function spooled(value: unknown): readonly SendItem[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > SPOOLED) throw new Refused('items must be a list of uploads')
  return value.map((one: unknown) => {
    if (!isRecord(one)) throw new Refused('items must be a list of uploads')
    const Name = text(one['name'], 'name', NAME_LIMIT)
    if (Name === '' || /[/\\\0]/.test(Name)) throw new Refused('name must be that of a file')
    return { Spool: shortName(one['spool'], 'spool'), Name }
  })
}

function only(send: Record<string, unknown>, names: readonly string[]): void {
  const other = Object.keys(send).find((key) => !names.includes(key))
  if (other !== undefined) throw new Refused(`${other.slice(0, 40)} is not for a window to say`)
}
