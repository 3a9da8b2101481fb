/**
 * The accounts of this computer as the menu lists them. Pure.
 */
import type { LoginProfile, ProfilesPage } from '../../preload/contract.ts'
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { serverName } from './steps.ts'

export interface AccountRow {
  readonly id: string
  /** The nickname, else who is signed in. */
  readonly name: string
  /** "anna@lab.internal, hs.example" without what the name says already. */
  readonly where: string
  readonly current: boolean
}

/** Longest nickname that is taken. */
export const NICKNAME_LIMIT = 60

/** Those that somebody has signed in with, the present one first. */
export function accountRows(page: ProfilesPage | undefined): readonly AccountRow[] {
  if (!page) return []
  const rows = page.all.map((profile) => rowOf(profile, profile.ID === page.current.ID))
  return rows.toSorted((a, b) => Number(b.current) - Number(a.current))
}

function rowOf(profile: LoginProfile, current: boolean): AccountRow {
  const login = safeText(profile.UserProfile.LoginName)
  const name = safeText(profile.Name) || login || t('join.account.unnamed')
  const server = serverName(profile.ControlURL)
  return { id: profile.ID, name, where: login === '' || login === name ? server : `${login}, ${server}`, current }
}

/** The letter on an account's square. */
export function initial(name: string): string {
  return String.fromCodePoint(name.codePointAt(0) ?? 0x42).toUpperCase()
}
