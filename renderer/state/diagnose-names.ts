/**
 * Who answered a name, as the window shows it: one sentence, and a row for each that was asked. Pure.
 */
import type { DnsAttempt, DnsLookupPage, ResolverView } from '../../preload/contract.ts'
import { roundTrip, safeText } from '../../main/words/format.ts'
import { pathKindWords } from '../../main/words/states.ts'
import { t } from '../../main/words/words.ts'

export const RECORD_TYPES = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'PTR', 'SRV', 'TXT'] as const

export interface NameRow {
  readonly who: string
  readonly way: string
  readonly said: string
  readonly time: string
  readonly used: boolean
}

/** What came out, in one sentence. */
export function lookupTitle(page: DnsLookupPage): string {
  const name = safeText(page.Full || page.Name, 260)
  if (page.Rcode === 'NXDOMAIN') return t('diagnose.names.noSuch', { name })
  if (page.Rcode !== 'NOERROR') return t('diagnose.names.nobody', { name })
  if (page.Answers.length === 0) return t('diagnose.names.none', { name, type: page.Type })
  return t('diagnose.names.found', { name, answers: answersText(page.Answers) })
}

/** In the order of asking. */
export function lookupRows(page: DnsLookupPage): readonly NameRow[] {
  return page.Attempts.map((attempt) => ({
    who: attempt.Who.Addr === '' ? t(`diagnose.by.${attempt.Who.By}`) : safeText(attempt.Who.Addr, 120),
    way: wayWords(attempt.Who), said: saidText(attempt), used: attempt.Used,
    time: attempt.Used && page.FromCache ? t('diagnose.names.cached') : roundTrip(attempt.LatencyMs),
  }))
}

function saidText({ Failed: failed, Answers: answers, Rcode: rcode = '', Who: who }: DnsAttempt): string {
  if (who.Refused !== undefined) return safeText(who.Refused, 200)
  if (failed !== undefined) return safeText(failed, 200)
  return answers.length > 0 ? answersText(answers) : safeText(rcode, 30)
}

function wayWords({ By: by, Through: through, Path: path }: ResolverView): string {
  const way = through === undefined ? t(`diagnose.by.${by}`) : t('diagnose.by.via', { device: safeText(through, 60) })
  return path === undefined ? way : `${way} (${pathKindWords(path)})`
}

const answersText = (answers: DnsLookupPage['Answers']): string => {
  const shown = answers.slice(0, 4).map(({ Data: data }) => safeText(data, 120))
  return answers.length > shown.length ? `${shown.join(', ')}, …` : shown.join(', ')
}
