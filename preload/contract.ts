/**
 * The renderer's whole world: what the window may ask of its host, and what the host tells it.
 *
 * The same contract stands behind Electron's preload (IPC) and behind `bowline web` (loopback HTTP), so the window cannot
 * tell them apart. Every answer is a value: `{ok}` or `{code, message}`, since a thrown error loses its code on the way.
 * Secrets never cross here: prefs come with keys zeroed by the engine.
 */
import type { AppSettings, AppSettingsPatch } from '../main/localapi/app-settings.ts'
import type { AppState, OfferedFiles, WindowCommand } from '../main/localapi/app-state.ts'
import type { BlockedPage } from '../main/localapi/blocked.ts'
import type { DnsLookupPage, DnsPage } from '../main/localapi/dns-page.ts'
import type { ExitNodesPage } from '../main/localapi/exit-nodes.ts'
import type { Extras } from '../main/localapi/extras.ts'
import type { ForwardAddition, ForwardRow, ForwardsPage, OpenedForward, OpenRequest, ProxiesPage } from '../main/localapi/forwards.ts'
import type { ThisNetwork } from '../main/localapi/this-network.ts'
import type { ReachPage } from '../main/localapi/reach.ts'
import type { JoinResult, PreflightPage } from '../main/localapi/preflight.ts'
import type { MachineMode, MachinePage, TrialPage } from '../main/localapi/machine.ts'
import type { RoutesPage } from '../main/localapi/routes.ts'
import type { ServiceChange, ServicePage } from '../main/localapi/service.ts'
import type { StoragePage } from '../main/localapi/storage.ts'
import type { IncomingRule, TaildropSettings, TransferAction, TransferResult, TransferTargetsPage } from '../main/localapi/transfers.ts'
import type { LoginProfile, MaskedPrefs, Notify, PathPage, PathsPage, PingResult, PingType, Prefs, SessionPage, StartOptions, Status, TrustedCertificate, TrustPage } from '../main/localapi/types.ts'

export type { AccountView, AppSettings, AppSettingsPatch } from '../main/localapi/app-settings.ts'
export type { AppState, OfferedFiles, OfferedItem, WindowCommand } from '../main/localapi/app-state.ts'
export type { BlockedPage, BlockedRow } from '../main/localapi/blocked.ts'
export type { DnsAttempt, DnsLookupPage, DnsPage, ResolverView } from '../main/localapi/dns-page.ts'
export type { Egress, ExitNodeRow, ExitNodesPage, ExitProof } from '../main/localapi/exit-nodes.ts'
export type { ExitNodeFailure, Extras } from '../main/localapi/extras.ts'
export type { ForwardAddition, ForwardRow, ForwardsPage, OpenedForward, ProxiesPage } from '../main/localapi/forwards.ts'
export type { Loss, MachineMode, MachinePage, MachineWhy, Trial, TrialPage, WantedChange } from '../main/localapi/machine.ts'
export type { ServiceChange, ServicePage } from '../main/localapi/service.ts'
export type { StoragePage } from '../main/localapi/storage.ts'
export type { ThisNetwork } from '../main/localapi/this-network.ts'
export type { ReachPage, ReachRung, ReachVerdict } from '../main/localapi/reach.ts'
export type { JoinLinkPage, PreflightPage, PreflightStep, ShownCertificate } from '../main/localapi/preflight.ts'
export type { TaildropSettings, TransferAsk, TransferResult, TransferRow, TransfersPage, TransferTarget, TransferTargetsPage } from '../main/localapi/transfers.ts'
export type { OfferedRoute, RouteRow, RoutesPage, RouteVia } from '../main/localapi/routes.ts'
export type {
  LoginProfile, MaskedPrefs, Notify, PathPage, PathRow, PathsPage, PeerStatus, PingResult, PingType, Prefs, SessionPage, SessionProblem, StartOptions, Status, TrustPage, Warning,
} from '../main/localapi/types.ts'

/** Requests the window may make, each with what it sends and what comes back. */
export interface Requests {
  status: { send: Record<string, never>; receive: Status }
  prefs: { send: Record<string, never>; receive: Prefs }
  editPrefs: { send: MaskedPrefs; receive: Prefs }
  start: { send: StartOptions; receive: null }
  loginInteractive: { send: Record<string, never>; receive: null }
  logout: { send: Record<string, never>; receive: null }
  ping: { send: { ip: string; type: PingType }; receive: PingResult }
  /** `active`: only of devices with packets lately, or that are being looked for. */
  paths: { send: { active?: boolean }; receive: PathsPage }
  /** One device's path with its reason, by node key. With the version that the window has: answered when there is another, after 5 s in any case. */
  path: { send: { peer: string; after?: number }; receive: PathPage }
  /** Signing in, step by step. With the version that the window has: answered when there is another, after 30 s in any case. */
  session: { send: { after?: number }; receive: SessionPage }
  /** The accounts of this computer; `current` has an empty ID while nobody is signed in with it. */
  profiles: { send: Record<string, never>; receive: ProfilesPage }
  /** Puts the present account to rest and begins a new one. */
  addProfile: { send: Record<string, never>; receive: null }
  switchProfile: { send: { id: string }; receive: null }
  /** Forgets an account on this computer; its server is not told. */
  removeProfile: { send: { id: string }; receive: null }
  /** Opens a web page of the sign-in or of a device in the person's browser; other schemes are refused. */
  openExternal: { send: { url: string }; receive: null }
  /** Where internet traffic goes, why, and where else it could go. With the version that the window has: answered when there is another, after 30 s in any case. */
  exitNodes: { send: { after?: number }; receive: ExitNodesPage }
  /** Without an ID the engine chooses, and chooses again when it has to. */
  useExitNode: { send: { id?: string }; receive: ExitNodesPage }
  clearExitNode: { send: Record<string, never>; receive: ExitNodesPage }
  /** Lets traffic past it for ten minutes, or no longer. */
  pauseExitNode: { send: { on: boolean }; receive: ExitNodesPage }
  /** Measures the way to every one of them, and looks at the proofs again. */
  checkExitNode: { send: Record<string, never>; receive: ExitNodesPage }
  setExitNodeFailure: { send: { failure: Extras['ExitNodeFailure'] }; receive: null }
  /** How much of this computer is on the network; the bus tells how it goes. */
  setMode: { send: { mode: MachineMode }; receive: MachinePage }
  /** What becomes of the change on trial. */
  answerTrial: { send: { id: string; answer: 'keep' | 'undo' }; receive: TrialPage }
  /** Networks behind devices. */
  routes: { send: Record<string, never>; receive: RoutesPage }
  /** Uses one network behind a device, or leaves it out. Where none was used before, the others stay unused. */
  useRoute: { send: { prefix: string; use: boolean }; receive: null }
  useAllRoutes: { send: Record<string, never>; receive: null }
  /** Offers networks of this computer to the others, or no longer; `exit` is all of the internet. */
  offer: { send: { prefixes: readonly string[] | 'exit'; on: boolean }; receive: null }
  /** What was not let through lately, by this device or by others. */
  blocked: { send: Record<string, never>; receive: BlockedPage }
  /** How names are resolved, and what is odd about it. */
  dns: { send: Record<string, never>; receive: DnsPage }
  forwards: { send: Record<string, never>; receive: ForwardsPage }
  addForward: { send: ForwardAddition; receive: ForwardRow }
  /** Answers what went. */
  removeForward: { send: { id: string }; receive: ForwardsPage }
  /** A port of this computer that leads to a place of the network until nobody has used it for a while. */
  openForward: { send: OpenRequest; receive: OpenedForward }
  /** How programs of this computer get into the network. */
  proxies: { send: Record<string, never>; receive: ProxiesPage }
  /** Certificates that were let in for the server in use. */
  trust: { send: Record<string, never>; receive: TrustPage }
  /** By its SHA-256 in upper-case hex with colons. */
  removeTrust: { send: { fingerprint: string }; receive: TrustedCertificate }
  /** Where the engine keeps what it keeps, and what guards its keys. */
  storage: { send: Record<string, never>; receive: StoragePage }
  /** What the network here lets through, how far the relays are, and what a look at the server saw; looks now, which takes some seconds. */
  thisNetwork: { send: Record<string, never>; receive: ThisNetwork }
  /** Who answers a name, and what: every candidate is asked. */
  dnsLookup: { send: { name: string; type: string }; receive: DnsLookupPage }
  /** Whether a place can be reached. Without a version a look begins; with the one that the window has: answered when there is another, after 30 s in any case. */
  reach: { send: { target: string; after?: number }; receive: ReachPage }
  /** Begins to look whether a server can be joined from here; `target` is an address or a join link, `instead` a run that is no longer needed. */
  lookAtServer: { send: { target: string; quick: boolean; instead?: string }; receive: PreflightPage }
  /** What such a look has found. With the version that the window has: answered when there is another, after 30 s in any case. */
  preflight: { send: { run: string; after?: number }; receive: PreflightPage }
  /** Trusts and sets what the link of that look asks for; signing in is asked for afterwards. */
  join: { send: { run: string }; receive: JoinResult }
  /** Trusts one certificate of those that the server showed, for that server alone. */
  trustShown: { send: { server: string; fingerprint: string }; receive: null }
  /** Changes settings of the app itself; they come back with the app's state. */
  editSettings: { send: AppSettingsPatch; receive: AppSettings }
  /** Starts the engine anew; refused with `not-supported` where the host did not start it (a service, `bowline web`). */
  restartEngine: { send: Record<string, never>; receive: null }
  /** The service of this computer: whether it is there, and how it is had. */
  service: { send: Record<string, never>; receive: ServicePage }
  /** Asks the person for admin rights and installs it; this window speaks with it then, and the accounts of the app's own engine move there. In a browser `not-supported`. */
  installService: { send: Record<string, never>; receive: ServiceChange }
  /** The other way round: what it kept moves back to the app's own engine. */
  removeService: { send: Record<string, never>; receive: ServiceChange }
  /** Quits the app, which asks first where that ends the connection; refused with `not-supported` in a browser. */
  quit: { send: Record<string, never>; receive: null }
  /** Shows the main window, at a place of it, or with files of an offer that go to a device yet to be chosen. Asked by the small one. */
  showMain: { send: { hash?: string; offer?: string }; receive: null }
  /** Of the tray's small window: it goes, or it stays when it loses the focus. */
  smallWindow: { send: { do: 'close' | 'pin' | 'unpin' }; receive: null }
  /** Does what an action of a notice in the window offers, by its place; without one the notice goes. */
  useNotice: { send: { key: string; action?: number }; receive: null }
  /** Who files could be sent to, and why others cannot be. */
  transferTargets: { send: Record<string, never>; receive: TransferTargetsPage }
  transferAction: { send: WindowTransferAction; receive: TransferResult }
  /** What may come in, and where to. */
  taildropSettings: { send: Record<string, never>; receive: TaildropSettings }
  /** `Senders` whole. A folder is chosen by `chooseFolder`; here it can only be given up: the engine keeps what comes in. */
  editTaildrop: { send: { Own?: IncomingRule; Others?: IncomingRule; Senders?: TaildropSettings['Senders']; Folder?: '' }; receive: TaildropSettings }
  /** Has the person choose files, or folders; null: none chosen. In a browser folders are refused with `not-supported`. */
  chooseFiles: { send: { folder: boolean }; receive: OfferedFiles | null }
  /** The offer is used up then; where it is refused it stays. `peer` is a stable ID. */
  sendFiles: { send: { offer: string; peer: string }; receive: TransferResult }
  /** The person does not want to send them after all. */
  dropOffer: { send: { offer: string }; receive: null }
  /** Sends what was uploaded before. Only in a browser, whose page does so by itself: the window asks `sendFiles` everywhere. */
  sendSpooled: { send: { peer: string; items: readonly { spool: string; name: string }[] }; receive: TransferResult }
  /** Has the person choose a folder for all that comes in, or for an ask of that batch, which is accepted with it; null: none chosen. In a browser `not-supported`. */
  chooseFolder: { send: { for: string }; receive: { Folder: string } | null }
  /** Opens a received file, by its row's ID, or shows it in its folder. What could run as a program is shown, and never opened. In a browser `not-supported`. */
  openReceived: { send: { id: string; how: 'open' | 'show' }; receive: { Did: 'opened' | 'shown' } }
  /** Shows the folder that files come into. In a browser, or where the engine keeps them, `not-supported`. */
  openInbox: { send: Record<string, never>; receive: null }
}

/** Of what can be done about transfers what names no place of this computer. */
export type WindowTransferAction = Exclude<TransferAction, { readonly Do: 'send' | 'accept' }> | { readonly Do: 'accept'; readonly Batch: string; readonly Always?: boolean }

export interface ProfilesPage {
  readonly all: readonly LoginProfile[]
  readonly current: LoginProfile
}

export type RequestName = keyof Requests

export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly code: string; readonly message: string }

export interface BowlineApi {
  /** Files that the person dropped or chose in the page become an offer. What is refused has a code: `nothing-to-send`, `too-many`. */
  offer(files: readonly File[]): Promise<Answer<OfferedFiles>>
  call<N extends RequestName>(name: N, send: Requests[N]['send']): Promise<Answer<Requests[N]['receive']>>
  /** The first message carries the whole state; so does the first one after an engine restart. Returns the way out. */
  onNotify(handle: (notify: Notify) => void): () => void
  /** Called at once with the present state, then on each change. */
  onAppState(handle: (state: AppState) => void): () => void
  /** The host wants something shown: a menu, a notification or a link was used. */
  onCommand(handle: (command: WindowCommand) => void): () => void
}
