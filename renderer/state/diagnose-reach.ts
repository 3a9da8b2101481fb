/**
 * Whether a place can be reached, as the window shows it: the engine's ladder followed rung by rung, and its codes in words. What the
 * person asked last counts; answers of a look before it are dropped.
 */
import { useEffect, useState } from 'react'
import type { BowlineApi, ReachPage, ReachRung } from '../../preload/contract.ts'
import { ago, roundTrip, safeText, sentence } from '../../main/words/format.ts'
import { isWord, t } from '../../main/words/words.ts'

export interface Reach {
  readonly page: ReachPage | undefined
  /** Why it could not be looked at; '' = it could. */
  readonly problem: string
}

const NOTHING: Reach = { page: undefined, problem: '' }

/** Follows a look at a place; another `turn` looks again. `target` '' = none. */
export function useReach(api: BowlineApi, target: string, turn: number): Reach {
  const [reach, setReach] = useState<Reach & { readonly of: string }>({ ...NOTHING, of: '' })
  const of = `${turn} ${target}`
  useEffect(() => {
    if (target === '') return undefined
    let stopped = false
    const follow = async (): Promise<void> => {
      let after: number | undefined
      while (!stopped) {
        const answer = await api.call('reach', after === undefined ? { target } : { target, after })
        if (stopped) return
        if (!answer.ok) return setReach({ page: undefined, problem: problemWords(answer.code, answer.message), of })
        setReach({ page: answer.value, problem: '', of })
        if (answer.value.Ended !== undefined) return
        after = answer.value.Version
      }
    }
    void follow()
    return () => {
      stopped = true
    }
  }, [api, target, of])
  return reach.of === of ? reach : NOTHING
}

function problemWords(code: string, message: string): string {
  return code === 'bad-argument' ? t('diagnose.box.bad') : safeText(message, 300)
}

export type Mark = 'passed' | 'failed' | 'unclear' | 'looking' | 'not-looked'

export interface RungLine {
  readonly name: ReachRung['Name']
  readonly mark: Mark
  readonly words: string
  /** At the end of the line: an address, a time, a reason; '' = nothing. */
  readonly value: string
}

/** The rungs as lines, from the name up. */
export function rungLines(page: ReachPage): readonly RungLine[] {
  return page.Rungs.map((rung) => ({ name: rung.Name, mark: rung.State, words: rungWords(rung, page), value: rungValue(rung) }))
}

function rungWords({ Name: name, State: state, Value: value = '' }: ReachRung, page: ReachPage): string {
  const kind = state === 'passed' || state === 'failed' ? state : 'plain'
  if (name === 'name' && kind === 'passed' && page.Address === page.Host) return t('diagnose.rung.name.address')
  if (name === 'path' && kind === 'passed' && value === '') return t('diagnose.rung.path.plain')
  return t(`diagnose.rung.${name}.${kind}`, { port: String(page.Port), path: pathText(value) })
}

function pathText(value: string): string {
  const [kind, where = ''] = value.split(' ')
  if (kind === 'relay') return where === '' ? t('path.relay') : t('path.relay.where', { relay: safeText(where, 20) })
  return kind === 'peer-relay' ? t('path.through.some') : t('path.direct')
}

function rungValue({ Name: name, State: state, Value: value = '', LatencyMs: latencyMs, AgeMs: ageMs }: ReachRung): string {
  if (latencyMs !== undefined) return roundTrip(latencyMs)
  if (ageMs !== undefined) return ago(ageMs)
  if (name === 'path') return ''
  const reason = `diagnose.port.${value}`
  return name === 'port' && state === 'failed' && isWord(reason) ? t(reason) : safeText(value, 60)
}

export interface VerdictLines {
  readonly title: string
  readonly means: string
  readonly tone: 'good' | 'plain' | 'bad'
}

const GOOD: ReadonlySet<string> = new Set(['open', 'up'])
const PLAIN: ReadonlySet<string> = new Set(['self', 'outside', 'not-connected'])

/** The verdict in words; while it goes on that it does. */
export function verdictLines(page: ReachPage): VerdictLines {
  const { Verdict: verdict, Device: device } = page
  const place = safeText(page.Target, 300)
  if (!verdict) return { title: t('diagnose.reach.looking', { place }), means: '', tone: 'plain' }
  const host = safeText(page.Host, 260)
  const named = page.Rungs.find(({ Name }) => Name === 'device')?.Value ?? ''
  const values = { place, host, device: safeText(device?.Name ?? named) || host, port: String(page.Port), itself: (device?.IsItself ?? true) ? 'yes' : 'no' }
  const [title, means] = [`diagnose.verdict.${verdict.Code}`, `diagnose.means.${verdict.Code}`]
  return {
    title: isWord(title) ? t(title, values) : safeText(verdict.Text, 300),
    // What only this engine could say of this very case is better than what holds for all.
    means: isWord(means) ? t(means, values) : sentence(safeText(verdict.Why ?? verdict.More, 300)),
    tone: GOOD.has(verdict.Code) ? 'good' : PLAIN.has(verdict.Code) ? 'plain' : 'bad',
  }
}
