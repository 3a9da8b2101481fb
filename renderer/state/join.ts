/**
 * Joining: the link that was opened or pasted, and what a look at its server says in words. The words are pure.
 */
import { create } from 'zustand'
import { safeText } from '../../main/words/format.ts'
import { isWord, locale, t } from '../../main/words/words.ts'
import type { JoinLinkPage, PreflightPage, PreflightStep } from '../../preload/contract.ts'

export interface JoinState {
  /** A join link that the person has not said yes or no to. */
  readonly link: string | undefined
  /** The invitation that this sign-in goes by. */
  readonly invitation: JoinLinkPage | undefined
  /** Somebody has just signed in here and was not told yet where they are. */
  readonly arrived: boolean
}

export const useJoin = create<JoinState>(() => ({ link: undefined, invitation: undefined, arrived: false }))

export type Mark = 'good' | 'info' | 'warn' | 'bad' | 'waiting'

export interface CheckRow {
  readonly key: PreflightStep['Step']
  readonly mark: Mark
  readonly name: string
  readonly saw: string
  /** The one thing to do; "" = nothing. */
  readonly fix: string
}

/** Good, and yet worth knowing. */
const NOTES: readonly string[] = ['vpn-beside', 'proxy-through', 'proxy-excepted']

export function checkRows(page: PreflightPage): readonly CheckRow[] {
  return page.Steps.map((step) => ({ key: step.Step, mark: markOf(step), name: t(`join.step.${step.Step}`), saw: sawWords(step), fix: fixWords(step) }))
}

function markOf({ State, Needed, Code }: PreflightStep): Mark {
  if (State === 'waiting') return 'waiting'
  if (State === 'bad') return Needed ? 'bad' : 'warn'
  return State === 'good' && !NOTES.includes(Code) ? 'good' : 'info'
}

/** What a step saw; of a fault the engine's own English says more than our sentence. */
export function sawWords({ Step, State, Code, Args, Text }: PreflightStep): string {
  if (State === 'waiting') return t(`join.doing.${Step}`)
  const saw = `join.saw.${Code}`
  const fault = `join.fault.${Code}`
  const args = Object.fromEntries(Object.entries(Args).map(([name, value]) => [name, typeof value === 'string' ? safeText(value, 300) : value]))
  if (isWord(saw)) return t(saw, args)
  return locale() !== 'en' && isWord(fault) ? t(fault, args) : safeText(Text, 400)
}

/** What to do about a step that is bad. */
export function fixWords({ State, Code, Fix }: PreflightStep): string {
  if (State !== 'bad' || !Fix) return ''
  const own = `join.help.${Code}`
  if (isWord(own)) return t(own)
  const kind = `join.fix.${Fix.Kind}`
  return isWord(kind) && (locale() !== 'en' || Fix.Kind === 'trust-certificate') ? t(kind) : `${safeText(Fix.Text, 300).replace(/\.$/, '')}.`
}

/** Why a pasted text cannot be used. */
export function faultWords({ Code, Text }: NonNullable<PreflightPage['Fault']>): string {
  const id = `join.link.${Code}`
  return isWord(id) ? t(id) : safeText(Text, 300)
}

export const stepOf = (page: PreflightPage | undefined, name: PreflightStep['Step']): PreflightStep | undefined => page?.Steps.find(({ Step }) => Step === name)

/** What stands in the way of signing in, the first of it. */
export function obstacle(page: PreflightPage | undefined): PreflightStep | undefined {
  return page?.Steps.find(({ State, Needed }) => State === 'bad' && Needed)
}

/** "Answers in 31 ms. Headscale 0.29." once the server has answered. */
export function answerWords(page: PreflightPage | undefined): string {
  const server = stepOf(page, 'server')
  if (!server || server.State === 'waiting' || !server.Code.startsWith('server-')) return ''
  const ms = Number(stepOf(page, 'connection')?.Args['ms'] ?? server.Args['ms'] ?? 0)
  const version = String(server.Args['version'] ?? '').split('.').slice(0, 2).join('.')
  return version === '' ? t('join.answers', { ms }) : t('join.answers.headscale', { ms, version: safeText(version, 20) })
}

export function progress(page: PreflightPage): { readonly done: number; readonly all: number } {
  return { done: page.Steps.filter(({ State }) => State !== 'waiting').length, all: page.Steps.length }
}

/** A date as the reader writes it. */
export function dateWords(rfc3339: string): string {
  const atMs = Date.parse(rfc3339)
  return Number.isNaN(atMs) ? '' : new Intl.DateTimeFormat(locale(), { day: 'numeric', month: 'long', year: 'numeric' }).format(atMs)
}

/** What joining sets, as one sentence. */
export function settingWords({ routes, names, exitNode, shields }: JoinLinkPage['Settings']): string {
  const said = [
    ...(names === undefined ? [] : [names ? t('join.sets.names.on') : t('join.sets.names.off')]),
    ...(routes === undefined ? [] : [routes ? t('join.sets.routes.on') : t('join.sets.routes.off')]),
    ...(exitNode === undefined ? [] : [exitNode === 'none' ? t('join.sets.exit.none') : exitNode === 'auto' ? t('join.sets.exit.auto') : t('join.sets.exit.device', { device: safeText(exitNode, 60) })]),
    ...(shields === undefined ? [] : [shields ? t('join.sets.shields.on') : t('join.sets.shields.off')]),
  ]
  return said.length === 0 ? t('join.sets.nothing') : said.join(' ')
}

/** Everything that was seen, as plain text for whoever helps: nothing in it is a secret. */
export function checksText(page: PreflightPage, device: string, version: string, nowMs: number): string {
  const rows = checkRows(page).map(({ key, name, saw, fix }) => {
    const step = page.Steps.find(({ Step }) => Step === key)!
    return `${step.State === 'bad' ? (step.Needed ? '[x]' : '[!]') : step.State === 'good' ? '[ok]' : '[-]'} ${name}: ${saw}${fix === '' ? '' : ` ${fix}`} (${step.Code})`
  })
  return [
    t('join.report.title', { server: page.Server }), ...(page.Link ? [t('join.report.org', { org: safeText(page.Link.Org, 60), fingerprint: page.Link.SignedBy.Fingerprint })] : []),
    t('join.report.device', { device: safeText(device), version }), t('join.report.time', { time: new Date(nowMs).toISOString() }), '', ...rows,
  ].join('\n')
}

/** A fingerprint in groups that people can read to each other. */
export function grouped(hex: string): string {
  return hex.replaceAll(':', '').toLowerCase().replaceAll(/(.{4})(?=.)/g, '$1 ')
}
