/**
 * What a screen reader hears of transfers without being asked: every quarter of what moves, and how it ended; a sentence at a time, some
 * seconds apart. What was there when the page opened is not said.
 */
import { useEffect, useRef, useState } from 'react'
import { isEnded, isMoving } from '../../main/localapi/transfers.ts'
import { t } from '../../main/words/words.ts'
import { shareOf, type Entry } from '../state/transfers.ts'
import { lineOf, percent, titleOf } from '../state/transfers-words.ts'

const APART_MS = 3000
/** More at once are not worth hearing. */
const MOST = 3

/** What is heard of an entry: another text is news. */
function stepOf({ row }: Entry): string {
  if (isMoving(row)) return `moves ${Math.floor((shareOf(row) ?? 0) * 4)}`
  return isEnded(row) || row.State === 'paused' ? row.State : 'waits'
}

function sentenceOf(entry: Entry): string | undefined {
  const { row } = entry
  const name = titleOf(entry)
  if (isMoving(row)) {
    const quarter = Math.floor((shareOf(row) ?? 0) * 4) / 4
    return quarter === 0 || quarter === 1 ? undefined : t('transfers.spoken.at', { name, percent: percent(quarter) })
  }
  return isEnded(row) ? t('transfers.spoken', { name, line: lineOf(row).words }) : undefined
}

export function useSpokenTransfers(entries: readonly Entry[]): string {
  const [said, setSaid] = useState('')
  const steps = useRef<Map<string, string>>(undefined)
  const waiting = useRef(new Map<string, string>())
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => {
    const before = steps.current
    steps.current = new Map(entries.map((entry) => [entry.key, stepOf(entry)]))
    for (const entry of entries) {
      const was = before?.get(entry.key)
      if (was === undefined || was === steps.current.get(entry.key)) continue
      const sentence = sentenceOf(entry)
      if (sentence !== undefined) waiting.current.set(entry.key, sentence)
    }
    if (waiting.current.size === 0 || timer.current !== undefined) return
    timer.current = setTimeout(() => {
      timer.current = undefined
      setSaid([...waiting.current.values()].slice(-MOST).join('. '))
      waiting.current.clear()
    }, APART_MS)
  }, [entries])
  useEffect(() => () => {
    clearTimeout(timer.current)
    timer.current = undefined
  }, [])
  return said
}
