/**
 * A control that asks the engine for something and waits for the fact: it shows that it waits after 150 ms, says so after 5 s, and
 * moves when the answer is there. Nothing changes before.
 */
import { useEffect, useRef, useState } from 'react'
import type { Answer } from '../../preload/contract.ts'

/** `short`: asked, not worth showing yet. */
export type Wait = 'no' | 'short' | 'shown' | 'long'

export interface Ask {
  readonly wait: Wait
  /** Why the engine did not do it; '' = it did, or was not asked. */
  readonly problem: string
  /** Whether it was done. A second one is dropped while one is under way. */
  run(work: () => Promise<Answer<unknown>>): Promise<boolean>
}

const SHOW_MS = 150
const LONG_MS = 5000

export function useAsk(): Ask {
  const [wait, setWait] = useState<Wait>('no')
  const [problem, setProblem] = useState('')
  const busy = useRef(false)
  useEffect(() => {
    if (wait !== 'short' && wait !== 'shown') return undefined
    const timer = wait === 'short' ? setTimeout(() => setWait('shown'), SHOW_MS) : setTimeout(() => setWait('long'), LONG_MS - SHOW_MS)
    return () => clearTimeout(timer)
  }, [wait])
  const run = async (work: () => Promise<Answer<unknown>>): Promise<boolean> => {
    if (busy.current) return false
    busy.current = true
    setProblem('')
    setWait('short')
    const answer = await work()
    busy.current = false
    setWait('no')
    setProblem(answer.ok ? '' : answer.message)
    return answer.ok
  }
  return { wait, problem, run }
}

/** Whether a control shows that it waits. */
export const waits = (ask: Ask): boolean => ask.wait === 'shown' || ask.wait === 'long'
