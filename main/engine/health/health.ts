/**
 * What is wrong just now, by code: rows of the table of warnables that their owners set and clear, and the server's own
 * messages, in one list.
 *
 * A warning keeps the time at which it began while it stays; its text may change meanwhile. It is not told while a
 * warning that it depends on is, nor before it has lasted as long as its row says. Nobody is told of a list that is the
 * same as before.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../base/env.ts'
import type { DisplayMessage } from '../core/tailcfg/types.ts'
import type { HealthState, Warning } from '../../localapi/types.ts'
import { WARNABLES } from './warnables.ts'
import type { Warnable, WarnableCode, WarningArgs } from './warnables.ts'

export type Messages = ReadonlyMap<string, DisplayMessage>

interface Broken {
  readonly args: WarningArgs
  readonly sinceWallMs: number
  readonly visible: boolean
  readonly cancelTimer: () => void
}

const NO_ARGS: WarningArgs = {}

export class Health {
  readonly #clock: Clock
  readonly #broken = new Map<WarnableCode, Broken>()
  readonly #groups = new Map<string, readonly WarnableCode[]>()
  readonly #listeners: (() => void)[] = []
  #messages: Messages = new Map()
  #list: readonly Warning[] = []
  #told = ''

  constructor(deps: { clock: Clock }) {
    this.#clock = deps.clock
  }

  /** Something is wrong; `args` fill its text. */
  set(code: WarnableCode, args: WarningArgs = NO_ARGS): void {
    if (this.#put(code, args)) this.#tell()
  }

  /** It is well again. */
  clear(code: WarnableCode): void {
    if (this.#drop(code)) this.#tell()
  }

  /** Sets all codes of one owner at once: those it set before and does not name now are well again. */
  setGroup(owner: string, warnings: Readonly<Partial<Record<WarnableCode, WarningArgs>>>): void {
    const codes = Object.keys(warnings) as WarnableCode[]
    let changed = false
    for (const code of this.#groups.get(owner) ?? []) if (!(code in warnings)) changed = this.#drop(code) || changed
    for (const code of codes) changed = this.#put(code, warnings[code] ?? NO_ARGS) || changed
    this.#groups.set(owner, codes)
    if (changed) this.#tell()
  }

  /** All messages of the server, by ID. */
  setMessages(messages: Messages): void {
    if (messages === this.#messages || (messages.size === 0 && this.#messages.size === 0)) return
    this.#messages = messages
    this.#tell()
  }

  state(): HealthState {
    return { Warnings: this.#list.length === 0 ? null : Object.fromEntries(this.#list.map((warning) => [warning.WarnableCode, warning])) }
  }

  /** One text a warning, the gravest first, then the server's messages. */
  texts(): readonly string[] {
    return this.#list.map((warning) => (warning.WarnableCode.startsWith(MESSAGE) ? messageText(warning) : warning.Text))
  }

  /** Calls after each change of the list. */
  onChange(call: () => void): void {
    this.#listeners.push(call)
  }

  /** Stops its timers. */
  stop(): void {
    for (const { cancelTimer } of this.#broken.values()) cancelTimer()
  }

  #put(code: WarnableCode, args: WarningArgs): boolean {
    const before = this.#broken.get(code)
    if (before) {
      if (sameArgs(before.args, args)) return false
      this.#broken.set(code, { ...before, args })
      return true
    }
    const { visibleAfterMs = 0 }: Warnable = WARNABLES[code]
    const cancelTimer = visibleAfterMs === 0 ? () => {} : this.#clock.after(visibleAfterMs, () => this.#show(code))
    this.#broken.set(code, { args, sinceWallMs: this.#clock.wallMs(), visible: visibleAfterMs === 0, cancelTimer })
    return true
  }

  #drop(code: WarnableCode): boolean {
    this.#broken.get(code)?.cancelTimer()
    return this.#broken.delete(code)
  }

  #show(code: WarnableCode): void {
    const broken = this.#broken.get(code)
    if (!broken) return
    this.#broken.set(code, { ...broken, visible: true })
    this.#tell()
  }

  #tell(): void {
    const all = [...this.#warnings(), ...messageWarnings(this.#messages)].map(withEtag)
    const key = all.map((warning) => `${warning.WarnableCode} ${warning.ETag}`).join('\n')
    if (key === this.#told) return
    this.#told = key
    this.#list = all
    for (const call of this.#listeners) call()
  }

  #warnings(): Warning[] {
    const out: Warning[] = []
    for (const [code, broken] of this.#broken) if (broken.visible && !this.#isConsequence(code)) out.push(warningOf(code, broken))
    return out.toSorted((a, b) => RANK[a.Severity] - RANK[b.Severity] || (a.WarnableCode < b.WarnableCode ? -1 : 1))
  }

  /** Whether something that the code depends on is wrong and itself no consequence. */
  #isConsequence(code: WarnableCode): boolean {
    const { dependsOn = [] }: Warnable = WARNABLES[code]
    return (dependsOn as readonly WarnableCode[]).some((cause) => this.#broken.has(cause) && !this.#isConsequence(cause))
  }
}

const RANK = { high: 0, medium: 1, low: 2 } as const
/** Codes of the server's messages begin so. */
const MESSAGE = 'control-health.'
/** Stock windows hold everything back while this is set; we never set it. */
const WARMING_UP = 'warming-up'

function warningOf(code: WarnableCode, { args, sinceWallMs }: Broken): Warning {
  const row: Warnable = WARNABLES[code]
  return {
    WarnableCode: code,
    Severity: row.severity,
    Title: row.title,
    Text: row.text(args),
    BrokenSince: new Date(sinceWallMs).toISOString(),
    ...(Object.keys(args).length > 0 ? { Args: args } : {}),
    DependsOn: [...(row.dependsOn ?? []), WARMING_UP],
    ...(row.impactsConnectivity === true ? { ImpactsConnectivity: true } : {}),
  }
}

function messageWarnings(messages: Messages): Warning[] {
  const ids = [...messages.keys()].toSorted()
  return ids.map((id) => {
    const { Title = '', Text = '', Severity, ImpactsConnectivity, PrimaryAction } = messages.get(id)!
    return {
      WarnableCode: MESSAGE + id,
      Severity: Severity === 'high' || Severity === 'low' ? Severity : 'medium',
      Title,
      Text,
      ...(ImpactsConnectivity === true ? { ImpactsConnectivity: true } : {}),
      ...(PrimaryAction ? { PrimaryAction } : {}),
    }
  })
}

function messageText({ Title, Text, PrimaryAction }: Warning): string {
  const said = Title !== '' && Text !== '' ? `${Title}: ${Text}` : Title !== '' ? `${Title}.` : Text
  return PrimaryAction ? `${said} ${PrimaryAction.Label}: ${PrimaryAction.URL}` : said
}

/** Equal warnings have equal tags; nothing else is promised of them. */
function withEtag(warning: Warning): Warning {
  return { ...warning, ETag: createHash('sha256').update(JSON.stringify(warning)).digest('hex') }
}

function sameArgs(a: WarningArgs, b: WarningArgs): boolean {
  const keys = Object.keys(a)
  return a === b || (keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]))
}
