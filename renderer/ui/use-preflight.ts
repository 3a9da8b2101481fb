/**
 * Looks at a server and follows what is found. A new target ends the look before; while somebody types it waits for a pause.
 */
import { useEffect, useRef, useState } from 'react'
import type { BowlineApi, PreflightPage } from '../../preload/contract.ts'
import { useApi } from './ApiContext.tsx'

export const TYPING_PAUSE_MS = 300

/** The page of the look at `target`; undefined = there is none yet. `round` begins another look at the same target. */
export function usePreflight(target: string, quick: boolean, round: number): PreflightPage | undefined {
  const api = useApi()
  const [seen, setSeen] = useState<{ readonly target: string; readonly page: PreflightPage }>()
  const last = useRef<string>(undefined)
  useEffect(() => {
    let isOver = false
    const timer = setTimeout(() => {
      if (target === '') return
      void follow(api, target, quick, last.current, (page) => {
        last.current = page.Run
        if (!isOver) setSeen({ target, page })
        return !isOver
      })
    }, quick ? TYPING_PAUSE_MS : 0)
    return () => {
      isOver = true
      clearTimeout(timer)
    }
  }, [api, target, quick, round])
  return seen?.target === target && target !== '' ? seen.page : undefined
}

async function follow(api: BowlineApi, target: string, quick: boolean, instead: string | undefined, take: (page: PreflightPage) => boolean): Promise<void> {
  let answer = await api.call('lookAtServer', { target, quick, ...(instead === undefined ? {} : { instead }) })
  while (answer.ok && take(answer.value) && answer.value.State === 'running') answer = await api.call('preflight', { run: answer.value.Run, after: answer.value.Version })
}
