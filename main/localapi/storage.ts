/**
 * bowline/storage: where the engine keeps what it keeps, and what guards its keys. Names as on the wire.
 */
export interface StoragePage {
  /** Absent: nothing is on disk. */
  readonly State?: string
  readonly Journal?: string
  /** `keyring`: sealed with a key in the session's keyring. `host`: with one that the app has the system keep. `file`: in the file, for its owner alone. */
  readonly Keys: 'keyring' | 'host' | 'file' | 'memory' | 'closed'
  /** Why they lie in the file, or cannot be read, as a clause; absent where somebody asked for it so. */
  readonly Why?: string
}
