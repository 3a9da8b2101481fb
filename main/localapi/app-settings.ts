/**
 * What a person sets in the app itself, beside the engine's prefs: looks, language, notifications, start and quit, and per account
 * what is pinned or named. One JSON file, read with patience: what is wrong in it falls back to its default, the rest stays.
 */

export const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

/** `system` = the first of the system's languages that there are messages for; `pseudo` is for tests. */
export const LANGUAGE_CHOICES = ['system', 'en', 'de', 'fr', 'es', 'ja', 'zh-CN', 'pseudo'] as const
export type LanguageChoice = (typeof LANGUAGE_CHOICES)[number]

export const NOTICE_CATEGORIES = ['sign-in', 'exit-node', 'incoming-files', 'delivered-files', 'connection-lost', 'blocked', 'watched', 'updates'] as const
export type NoticeCategory = (typeof NOTICE_CATEGORIES)[number]
export const NOTICE_LEVELS = ['toast', 'badge', 'off'] as const
export type NoticeLevel = (typeof NOTICE_LEVELS)[number]

/** What quitting does: `ask` first, or without a question. `keep` leaves a service's connection as it is. */
export const ON_QUIT = ['ask', 'disconnect', 'keep'] as const
export type OnQuit = (typeof ON_QUIT)[number]

/** How one account's devices are shown on this computer. IDs are the stable ones of the server. */
export interface AccountView {
  readonly pinned: readonly string[]
  readonly hidden: readonly string[]
  readonly nicknames: Readonly<Record<string, string>>
  /** In the order shown; empty = the usual ones. */
  readonly columns: readonly string[]
  readonly groupBy: string
  /** Devices opened last, the latest first. */
  readonly recent: readonly string[]
  /** Exit nodes used last, the latest first. */
  readonly recentExits: readonly string[]
}

export interface AppSettings {
  readonly theme: Theme
  readonly language: LanguageChoice
  readonly moreContrast: boolean
  readonly comfortableRows: boolean
  /** Keys without Ctrl (`/`, `?`, letters in lists). */
  readonly singleKeys: boolean
  readonly notifications: Readonly<Record<NoticeCategory, NoticeLevel>>
  readonly startAtLogin: boolean
  /** Start without connecting, whatever was so when it ended. */
  readonly startDisconnected: boolean
  readonly onQuit: OnQuit
  readonly checkForUpdates: boolean
  /** Changes that take something away are made on trial. */
  readonly tryFirst: boolean
  /** Things that are said once and were said. */
  readonly told: readonly string[]
  /** By profile ID. */
  readonly accounts: Readonly<Record<string, AccountView>>
}

export type AppSettingsPatch = { readonly [K in keyof AppSettings]?: K extends 'notifications' | 'accounts' ? Partial<AppSettings[K]> : AppSettings[K] }

export const DEFAULT_SETTINGS: AppSettings = {
  theme: 'system',
  language: 'system',
  moreContrast: false,
  comfortableRows: false,
  singleKeys: true,
  notifications: {
    'sign-in': 'toast', 'exit-node': 'toast', 'incoming-files': 'toast', 'delivered-files': 'badge', 'connection-lost': 'toast', blocked: 'off', watched: 'off', updates: 'off',
  },
  startAtLogin: false,
  startDisconnected: false,
  onQuit: 'ask',
  checkForUpdates: false,
  tryFirst: true,
  told: [],
  accounts: {},
}

export const NO_VIEW: AccountView = { pinned: [], hidden: [], nicknames: {}, columns: [], groupBy: '', recent: [], recentExits: [] }

/** The view of an account by its profile's ID; the same one while nothing of it changes. */
export function viewOf(settings: AppSettings, profile: string | undefined): AccountView {
  return (profile !== undefined && Object.hasOwn(settings.accounts, profile) ? settings.accounts[profile] : undefined) ?? NO_VIEW
}

const TEXT_LIMIT = 200
const LIST_LIMIT = 2000
const ACCOUNT_LIMIT = 100

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const oneOf = <T extends string>(all: readonly T[]) => (value: unknown): T | undefined => all.find((one) => one === value)
const flag = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined)
const text = (value: unknown): string | undefined => (typeof value === 'string' && value.length <= TEXT_LIMIT ? value : undefined)

function texts(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > LIST_LIMIT) return undefined
  return value.every((one) => text(one) !== undefined) ? [...new Set(value as string[])] : undefined
}

/** A record of what `read` makes of each value; undefined when one is wrong or a key is not allowed. */
function recordOf<T>(value: unknown, mayBe: (key: string) => boolean, read: (value: unknown) => T | undefined, limit: number): Record<string, T> | undefined {
  if (!isRecord(value) || Object.keys(value).length > limit) return undefined
  const out: Record<string, T> = {}
  for (const [key, raw] of Object.entries(value)) {
    const one = read(raw)
    if (one === undefined || !mayBe(key)) return undefined
    out[key] = one
  }
  return out
}

/** IDs of profiles and devices, as engine and servers make them. */
const isId = (key: string): boolean => /^[\w:.-]{1,64}$/.test(key) && key !== '__proto__'

function accountView(value: unknown): AccountView | undefined {
  if (!isRecord(value)) return undefined
  const { pinned = [], hidden = [], nicknames = {}, columns = [], groupBy = '', recent = [], recentExits = [] } = value
  const view = {
    pinned: texts(pinned), hidden: texts(hidden), nicknames: recordOf(nicknames, isId, text, LIST_LIMIT), columns: texts(columns), groupBy: text(groupBy),
    recent: texts(recent), recentExits: texts(recentExits),
  }
  return Object.values(view).includes(undefined) ? undefined : (view as AccountView)
}

const READERS: { readonly [K in keyof AppSettings]: (value: unknown) => AppSettingsPatch[K] | undefined } = {
  theme: oneOf(THEMES),
  language: oneOf(LANGUAGE_CHOICES),
  moreContrast: flag,
  comfortableRows: flag,
  singleKeys: flag,
  notifications: (value) => recordOf(value, (key) => oneOf(NOTICE_CATEGORIES)(key) !== undefined, oneOf(NOTICE_LEVELS), NOTICE_CATEGORIES.length),
  startAtLogin: flag,
  startDisconnected: flag,
  onQuit: oneOf(ON_QUIT),
  checkForUpdates: flag,
  tryFirst: flag,
  told: texts,
  accounts: (value) => recordOf(value, isId, accountView, ACCOUNT_LIMIT),
}

/** A change as the window asks for it; a sentence when something in it is wrong. */
export function checkPatch(value: unknown): AppSettingsPatch | { readonly fault: string } {
  if (!isRecord(value)) return { fault: 'settings are an object' }
  const patch: Record<string, unknown> = {}
  for (const [key, raw] of Object.entries(value)) {
    if (!Object.hasOwn(READERS, key)) return { fault: `no such setting: ${key.slice(0, 40)}` }
    const read = READERS[key as keyof AppSettings](raw)
    if (read === undefined) return { fault: `${key} has a wrong value` }
    patch[key] = read
  }
  return patch as AppSettingsPatch
}

/** The settings after a change; of notifications and accounts what the change does not name stays, of accounts no more than can be read again. */
export function patched(settings: AppSettings, patch: AppSettingsPatch): AppSettings {
  return {
    ...settings, ...patch,
    notifications: { ...settings.notifications, ...patch.notifications },
    accounts: withAccounts(settings.accounts, patch.accounts as AppSettings['accounts'] | undefined),
  }
}

/** The changed ones first, so that those that nobody changes go when there are too many. */
function withAccounts(accounts: AppSettings['accounts'], changed: AppSettings['accounts'] = {}): AppSettings['accounts'] {
  const others = Object.entries(accounts).filter(([id]) => !Object.hasOwn(changed, id))
  return Object.fromEntries([...Object.entries(changed), ...others].slice(0, ACCOUNT_LIMIT))
}

/** What a file holds, each setting by itself: a wrong one is its default. */
export function readSettings(value: unknown): AppSettings {
  if (!isRecord(value)) return DEFAULT_SETTINGS
  let settings = DEFAULT_SETTINGS
  for (const key of Object.keys(READERS)) {
    if (!Object.hasOwn(value, key)) continue
    const patch = checkPatch({ [key]: value[key] })
    if (!('fault' in patch)) settings = patched(settings, patch)
  }
  return settings
}
