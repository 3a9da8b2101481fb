/**
 * The steps of a sign-in as a person reads them: the engine's steps with words, and times as they are best read. Pure.
 */
import type { SessionPage } from '../../preload/contract.ts'
import { age, clockTimeSec, decimal, safeText, sentence } from '../../main/words/format.ts'
import { locale, t } from '../../main/words/words.ts'

type EngineStep = SessionPage['Steps'][number]

export interface StepRow {
  readonly key: string
  readonly state: EngineStep['State']
  readonly words: string
  /** At the right: how long it took, or since how long it runs; "" = not yet. */
  readonly time: string
  /** When it began, with seconds; "" = not yet. */
  readonly at: string
  /** The engine's reason, as a sentence. */
  readonly why: string
}

/** Rows for the page; `nowMs` is wall time. */
export function stepRows(steps: SessionPage['Steps'], nowMs: number): readonly StepRow[] {
  return steps.map((step) => {
    const atMs = step.At === undefined ? NaN : Date.parse(step.At)
    const reached = !Number.isNaN(atMs) && step.State !== 'pending'
    return {
      key: step.Step,
      state: step.State,
      words: step.State === 'done' || (step.State === 'pending' && step.Step === 'map-received') ? t(`join.done.${step.Step}`) : t(`join.coming.${step.Step}`),
      time: !reached ? '' : step.State === 'done' ? took(step, atMs) : age(Math.max(0, nowMs - atMs)),
      at: reached ? clockTimeSec(atMs) : '',
      why: reason(step.Why),
    }
  })
}

/** A step of a moment is told by its clock time, one that took a while by how long. */
function took(step: EngineStep, atMs: number): string {
  if (step.TookMs === undefined || step.Step === 'link-shown') return clockTimeSec(atMs)
  if (step.TookMs < 50) return `<${t('unit.s', { n: decimal(0.1) })}`
  return step.TookMs < 60_000 ? t('unit.s', { n: decimal(step.TookMs / 1000) }) : age(step.TookMs)
}

/** The engine says why in English; in other languages the step's own words have to do. */
function reason(why: string): string {
  return locale() === 'en' ? sentence(why) : ''
}

/** Whether the link in use took the place of one that led nowhere, and why. */
export function replacedLink(steps: SessionPage['Steps']): string {
  const why = steps.find((step) => step.Step === 'link-shown')?.Why ?? ''
  if (!/\blink before\b/.test(why)) return ''
  return locale() === 'en' ? sentence(why) : t('join.replaced')
}

/** The engine's own last word of the step that runs or ended last: it names the HTTP status where one came. */
export function lastHttp(steps: SessionPage['Steps']): { readonly atMs: number; readonly said: string } | undefined {
  const last = steps.findLast((step) => step.State !== 'pending' && step.At !== undefined)
  return last && last.Why !== '' ? { atMs: Date.parse(last.At!) + (last.State === 'done' ? (last.TookMs ?? 0) : 0), said: safeText(last.Why, 300) } : undefined
}

/** The server's name without what is the same everywhere: "hs.example", "127.0.0.1:8080". */
export function serverName(url: string): string {
  try {
    return safeText(new URL(url).host)
  } catch {
    return safeText(url)
  }
}

/** Whether another machine could open this page. */
export function opensElsewhere(url: string): boolean {
  try {
    return !/^(localhost|.*\.localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(new URL(url).hostname)
  } catch {
    return false
  }
}

/** Headscale's own command to let this device in; undefined for a page that is not Headscale's. */
export function adminLine(url: string): string | undefined {
  const id = /\/register\/([\w:-]{8,120})$/.exec(url)?.[1]
  if (id === undefined) return undefined
  // Since 0.29 Headscale's requests carry a name of their own; before that the link holds a bare key.
  return id.startsWith('hskey-') ? `headscale auth register --user NAME --auth-id ${id}` : `headscale nodes register --user NAME --key ${id}`
}
