/**
 * What can be set, in its order: pages, groups of rows, and which rows this host, this system and the device policy leave. A row has its
 * label and one line of what it does by its ID (`settings.row.ID`, `settings.does.ID`), and is found by both. Pure.
 */
import { isHidden, type PolicySnapshot } from '../../main/localapi/policy.ts'
import { t } from '../../main/words/words.ts'
import type { AppState } from '../../preload/contract.ts'

export const PAGES = ['general', 'connection', 'names', 'files', 'notifications', 'accounts', 'privacy', 'advanced', 'updates', 'about'] as const
export type PageId = (typeof PAGES)[number]

const ROWS = {
  theme: ['general', 'looks'], language: ['general', 'looks'], contrast: ['general', 'looks'], comfortable: ['general', 'looks'],
  singleKeys: ['general', 'keys'],
  startAtLogin: ['general', 'start'], startDisconnected: ['general', 'start'], onQuit: ['general', 'start'],
  mode: ['connection', 'joining'], service: ['connection', 'joining'], proxies: ['connection', 'joining'], forwards: ['connection', 'joining'],
  networks: ['connection', 'reach'], incoming: ['connection', 'reach'],
  lan: ['connection', 'exit'], failure: ['connection', 'exit'], exitOffer: ['connection', 'exit'],
  tryFirst: ['connection', 'changes'],
  hostName: ['connection', 'device'],
  useNames: ['names', 'names'], resolvers: ['names', 'names'], odd: ['names', 'names'],
  inbox: ['files', 'inbox'], fromOwn: ['files', 'senders'], fromOthers: ['files', 'senders'], bySender: ['files', 'senders'],
  noticesRefused: ['notifications', 'notices'],
  'notice.sign-in': ['notifications', 'notices'], 'notice.exit-node': ['notifications', 'notices'], 'notice.incoming-files': ['notifications', 'notices'], 'notice.delivered-files': ['notifications', 'notices'], 'notice.connection-lost': ['notifications', 'notices'], 'notice.blocked': ['notifications', 'notices'],
  'notice.updates': ['notifications', 'notices'],
  accounts: ['accounts', 'here'], signOut: ['accounts', 'this'], signInEnds: ['accounts', 'this'], server: ['accounts', 'this'], certificates: ['accounts', 'this'],
  leaves: ['privacy', 'privacy'], keys: ['privacy', 'files'], files: ['privacy', 'files'],
  relay: ['advanced', 'advanced'], policy: ['advanced', 'policy'],
  checkUpdates: ['updates', 'updates'], newer: ['updates', 'updates'],
  versions: ['about', 'about'], licence: ['about', 'about'], licences: ['about', 'about'],
} as const satisfies Readonly<Record<string, readonly [page: PageId, group: string]>>

export type RowId = keyof typeof ROWS
export type GroupId = (typeof ROWS)[RowId][1]

export interface Group {
  readonly id: GroupId
  readonly rows: readonly RowId[]
}

/** What decides which rows there are. */
export interface Surroundings {
  readonly app: Pick<AppState, 'host' | 'engineHost' | 'updates' | 'noticesRefused'>
  readonly policy: PolicySnapshot
  /** Somebody is signed in with the account in use. */
  readonly signedIn: boolean
}

const APP_ONLY: ReadonlySet<RowId> = new Set(['startAtLogin', 'startDisconnected', 'onQuit', 'notice.sign-in', 'notice.exit-node', 'notice.incoming-files', 'notice.delivered-files', 'notice.connection-lost', 'notice.blocked', 'notice.updates'])
const SIGNED_IN_ONLY: ReadonlySet<RowId> = new Set(['signOut', 'signInEnds', 'networks', 'lan', 'failure', 'exitOffer', 'relay', 'inbox', 'fromOwn', 'fromOthers', 'bySender'])

function isThere(row: RowId, { app, policy, signedIn }: Surroundings): boolean {
  const { Settings } = policy
  if (APP_ONLY.has(row) && app.host !== 'electron') return false
  if (SIGNED_IN_ONLY.has(row) && !signedIn) return false
  // How an engine starts is for whoever starts it.
  if (row === 'startDisconnected' && (app.engineHost === 'other' || app.engineHost === 'service')) return false
  if (row === 'noticesRefused') return app.noticesRefused === true
  if (row === 'newer') return app.updates?.newer !== undefined && !isHidden(Settings, 'UpdateMenu')
  if (row === 'checkUpdates' || row === 'notice.updates') return app.updates !== undefined && !isHidden(Settings, 'UpdateMenu')
  if (row === 'lan' || row === 'failure') return !isHidden(Settings, 'ExitNodesPicker')
  if (row === 'exitOffer') return !isHidden(Settings, 'RunExitNode')
  return !(['connection', 'names'].includes(ROWS[row][0]) && isHidden(Settings, 'PreferencesMenu'))
}

const ALL = Object.keys(ROWS) as RowId[]

export function rowsThere(surroundings: Surroundings): readonly RowId[] {
  return ALL.filter((row) => isThere(row, surroundings))
}

/** Pages that have a row. */
export function pagesOf(rows: readonly RowId[]): readonly PageId[] {
  return PAGES.filter((page) => rows.some((row) => ROWS[row][0] === page))
}

/** The page that an address names; the first one where it names none. */
export function pageOf(word: string, pages: readonly PageId[]): PageId {
  return pages.find((page) => page === word) ?? pages[0] ?? 'general'
}

/** Rows of a page under their headings. */
export function groupsOf(page: PageId, rows: readonly RowId[]): readonly Group[] {
  const own = rows.filter((row) => ROWS[row][0] === page)
  return [...new Set(own.map((row) => ROWS[row][1]))].map((id) => ({ id, rows: own.filter((row) => ROWS[row][1] === id) }))
}

/** Rows whose label, line or page has all words that somebody typed, by page. */
export function foundRows(typed: string, rows: readonly RowId[]): readonly { readonly page: PageId; readonly rows: readonly RowId[] }[] {
  const words = plain(typed).split(/\s+/).filter((word) => word !== '')
  const found = rows.filter((row) => {
    const text = plain(`${t(`settings.row.${row}`)} ${t(`settings.does.${row}`)} ${t(`settings.page.${ROWS[row][0]}`)}`)
    return words.every((word) => text.includes(word))
  })
  return pagesOf(found).map((page) => ({ page, rows: found.filter((row) => ROWS[row][0] === page) }))
}

/** As people compare words: case and accents make no difference. */
const plain = (text: string): string => text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase()
