/**
 * How each setting is drawn, by its ID.
 */
import type { ReactNode } from 'react'
import type { RowId } from '../state/settings-rows.ts'
import { LicenceRow, LicencesRow, VersionsRow } from './SettingsAbout.tsx'
import { AccountsRow, CertificatesRow, ServerRow, SignInEndsRow, SignOutRow } from './SettingsAccounts.tsx'
import { PolicyRow, RelayRow } from './SettingsAdvanced.tsx'
import { ExitOfferRow, FailureRow, ForwardsRow, HostNameRow, NetworksRow, ProxiesRow } from './SettingsConnection.tsx'
import { LanguageRow, OnQuitRow, ThemeRow } from './SettingsGeneral.tsx'
import { BySenderRow, FromRow, InboxRow } from './SettingsFiles.tsx'
import { ModeRow, ServiceRow } from './SettingsMode.tsx'
import { OddRow, ResolversRow } from './SettingsNames.tsx'
import { NoticeRow, RefusedRow } from './SettingsNotices.tsx'
import { FilesRow, KeysRow, LeavesRow } from './SettingsPrivacy.tsx'
import { AppSwitchRow, PrefRow } from './SettingsRow.tsx'
import { CheckUpdatesRow, NewerRow } from './SettingsUpdates.tsx'

export const SETTINGS: Readonly<Record<RowId, () => ReactNode>> = {
  theme: ThemeRow,
  language: LanguageRow,
  contrast: () => <AppSwitchRow id="contrast" name="moreContrast" />,
  comfortable: () => <AppSwitchRow id="comfortable" name="comfortableRows" />,
  singleKeys: () => <AppSwitchRow id="singleKeys" name="singleKeys" />,
  startAtLogin: () => <AppSwitchRow id="startAtLogin" name="startAtLogin" />,
  startDisconnected: () => <AppSwitchRow id="startDisconnected" name="startDisconnected" />,
  onQuit: OnQuitRow,
  mode: ModeRow,
  service: ServiceRow,
  proxies: ProxiesRow,
  forwards: ForwardsRow,
  networks: NetworksRow,
  incoming: () => <PrefRow id="incoming" pref="ShieldsUp" invert />,
  lan: () => <PrefRow id="lan" pref="ExitNodeAllowLANAccess" />,
  failure: FailureRow,
  exitOffer: ExitOfferRow,
  tryFirst: () => <AppSwitchRow id="tryFirst" name="tryFirst" />,
  hostName: HostNameRow,
  useNames: () => <PrefRow id="useNames" pref="CorpDNS" />,
  resolvers: ResolversRow,
  odd: OddRow,
  inbox: InboxRow,
  fromOwn: () => <FromRow id="fromOwn" />,
  fromOthers: () => <FromRow id="fromOthers" />,
  bySender: BySenderRow,
  'notice.sign-in': () => <NoticeRow category="sign-in" />,
  'notice.exit-node': () => <NoticeRow category="exit-node" />,
  'notice.incoming-files': () => <NoticeRow category="incoming-files" />,
  'notice.delivered-files': () => <NoticeRow category="delivered-files" />,
  'notice.connection-lost': () => <NoticeRow category="connection-lost" />,
  'notice.blocked': () => <NoticeRow category="blocked" />,
  'notice.updates': () => <NoticeRow category="updates" />,
  noticesRefused: RefusedRow,
  accounts: AccountsRow,
  signOut: SignOutRow,
  signInEnds: SignInEndsRow,
  server: ServerRow,
  certificates: CertificatesRow,
  leaves: LeavesRow,
  keys: KeysRow,
  files: FilesRow,
  relay: RelayRow,
  policy: PolicyRow,
  checkUpdates: CheckUpdatesRow,
  newer: NewerRow,
  versions: VersionsRow,
  licence: LicenceRow,
  licences: LicencesRow,
}
