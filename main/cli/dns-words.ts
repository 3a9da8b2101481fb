/**
 * Names and who answered them, in words for a terminal and in the official command's JSON.
 */
import type { DnsAnswerView, DnsAttempt, DnsLookupPage, ResolverView } from '../localapi/dns-page.ts'
import { styled, table } from './text.ts'
import { milliseconds } from './words.ts'

const CODES: Readonly<Record<string, string>> = {
  NOERROR: 'RCodeSuccess', FORMERR: 'RCodeFormatError', SERVFAIL: 'RCodeServerFailure', NXDOMAIN: 'RCodeNameError', NOTIMP: 'RCodeNotImplemented', REFUSED: 'RCodeRefused',
}

/** The official command's dns query, with who was asked beside it. */
export function lookupJson(page: DnsLookupPage): Record<string, unknown> {
  const { Name, Full, Type, Why, Rcode, Answers, FromCache, Attempts, Notes } = page
  const asked = Attempts.filter(({ Who }) => Who.By !== 'here' && Who.Addr !== '').map(({ Who }) => ({ Addr: Who.Addr }))
  return {
    Name, QueryType: Type, ...(asked.length > 0 ? { Resolvers: asked } : {}), ResponseCode: CODES[Rcode] ?? Rcode,
    ...(Answers.length > 0 || Rcode === 'NOERROR' ? { Answers: Answers.map(officialRow) } : {}),
    Full, Why, FromCache, Attempts, Notes,
  }
}

function officialRow({ Name, TTL, Type, Data }: DnsAnswerView): Record<string, unknown> {
  return { Name: `${Name}.`, TTL, Class: 'ClassINET', Type: `Type${Type}`, Body: Data }
}

/** Which way a resolver is reached. */
export function wayWords({ By, Through, Path }: ResolverView): string {
  const path = Path === undefined ? '' : ` (${Path})`
  if (By === 'here') return 'here'
  if (By === 'exit-node') return Through === undefined ? 'by the exit node' : `by the exit node ${Through}${path}`
  if (By === 'tunnel') return `through ${Through ?? 'the tunnel'}${path}`
  return By === 'https' ? 'over HTTPS' : "by this computer's network"
}

/** One line each: who was asked, by which way, in what time, with what end; the one that counts is marked. */
export function attemptsText(attempts: readonly DnsAttempt[]): string {
  return table(attempts.map(({ Who, Rcode, Answers, LatencyMs, Failed, Used }) => [
    Used ? '*' : ' ',
    Who.By === 'here' ? 'Bowline' : Who.Addr,
    wayWords(Who),
    LatencyMs === undefined || Who.By === 'here' ? '-' : milliseconds(LatencyMs),
    styled('faint', Who.Refused ?? Failed ?? (Answers.length > 0 ? Answers.map(({ Data }) => Data).join(', ') : (Rcode ?? ''))),
  ]))
}
