/**
 * What the host of a window (the app, or `bowline web`) knows itself and tells it on every change.
 */
import type { AppSettings } from './app-settings.ts'

export interface EngineLife {
  readonly engine: 'starting' | 'running' | 'stopped' | 'keeps-stopping'
  /** Wall time in ms since when. */
  readonly sinceMs: number
  /** How often the host has restarted it. */
  readonly restarts: number
  readonly message?: string
  /** Why it does not run, where that is known: `access-denied` (another user's), `already-running`, `engine-hung`… */
  readonly code?: string
}

export interface AppState extends EngineLife {
  readonly host: 'electron' | 'web'
  readonly platform: string
  /** Version of the program that serves the window. */
  readonly version: string
  readonly settings: AppSettings
  /** The system's languages, the preferred one first; empty = ask the browser. */
  readonly languages: readonly string[]
  /** Whether there is a tray that shows us: `none` in a browser, `missing` where the desktop has no place for it. */
  readonly tray: 'none' | 'unknown' | 'shown' | 'missing'
  /** Linux: which desktop this is, in one small word ("gnome", "kde"); '' or absent = not known. */
  readonly desktop?: string
  /** Who started the engine: this app, which can start it anew; the service of this computer, which its system starts anew; or somebody else. */
  readonly engineHost?: 'app' | 'service' | 'other'
  /** The engine's version, where it is another than ours. */
  readonly engineVersion?: string
  /** Absent = this build knows no place to ask for newer versions. */
  readonly updates?: { readonly newer?: { readonly version: string; readonly page: string } }
  /** Notifications that stand in the window, since the person sees it, or the system shows none. */
  readonly notices?: readonly AppNotice[]
  /** The system has refused to show a notification. */
  readonly noticesRefused?: boolean
}

/** How keys of notifications about files begin: the page of transfers says the same by itself. */
export const FILE_KEY = 'files '

/** A notification for the window; used by its key and the place of one of its actions. */
export interface AppNotice {
  readonly key: string
  readonly title: string
  readonly body: string
  /** What their buttons say. */
  readonly actions: readonly string[]
}

/** Files and folders of this computer that the person dropped or chose. Where they lie is the host's to know. */
export interface OfferedFiles {
  /** Names them in requests, for an hour, in the window that they were offered to. */
  readonly Offer: string
  /** The first hundred; `Count` and `Size` are of all. */
  readonly Items: readonly OfferedItem[]
  /** Of files and folders as they were chosen. */
  readonly Count: number
  /** Bytes of everything; -1: too much to count at once. */
  readonly Size: number
  /** What was chosen and cannot be sent: neither file nor folder, or not to be read. */
  readonly LeftOut: number
}

export interface OfferedItem {
  readonly Name: string
  readonly Kind: 'file' | 'folder'
  /** Bytes, and files in it; -1: too many to count at once. */
  readonly Size: number
  readonly Files: number
}

/** What the host asks of its window: a menu, a notification or a link was used. */
export type WindowCommand =
  /** Shows a place, as its address hash says: `#/settings/general`. */
  | { readonly kind: 'go'; readonly hash: string }
  /** A join link was opened; it is hostile until the person has said yes. */
  | { readonly kind: 'join'; readonly link: string }
  | { readonly kind: 'palette' }
  /** Files were dropped on the tray or chosen from its menu, and a device is to be chosen; without files the other way round, or both. */
  | { readonly kind: 'send'; readonly offer?: OfferedFiles; readonly peer?: string }
