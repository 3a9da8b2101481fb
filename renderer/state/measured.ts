/**
 * Opening the exit-node page measures each usable node once, a few at a time: a ping over whatever path there is.
 */
import { useEffect, useRef, useState } from 'react'
import type { BowlineApi, ExitNodesPage } from '../../preload/contract.ts'

const AT_ONCE = 6

/** Round trips in ms by ID, as they come; a node that comes later is measured then. */
export function useMeasured(api: BowlineApi, page: ExitNodesPage | undefined): ReadonlyMap<string, number> {
  const [measured, setMeasured] = useState<ReadonlyMap<string, number>>(new Map())
  const begun = useRef(new Set<string>())
  const waiting = useRef<{ id: string; ip: string }[]>([])
  const busy = useRef(0)
  const gone = useRef(false)
  useEffect(() => {
    gone.current = false
    return () => {
      gone.current = true
    }
  }, [])
  useEffect(() => {
    for (const node of page?.Nodes ?? []) {
      if ((node.Unavailable ?? '') !== '' || begun.current.has(node.ID)) continue
      begun.current.add(node.ID)
      waiting.current.push({ id: node.ID, ip: node.IP })
    }
    const work = async (): Promise<void> => {
      for (let next = waiting.current.shift(); next && !gone.current; next = waiting.current.shift()) {
        const { id, ip } = next
        const answer = await api.call('ping', { ip, type: 'disco' })
        if (answer.ok && answer.value.Err === '' && !gone.current) setMeasured((old) => new Map(old).set(id, answer.value.LatencySeconds * 1000))
      }
      busy.current--
    }
    for (; busy.current < AT_ONCE && busy.current < waiting.current.length; busy.current++) void work()
  }, [api, page])
  return measured
}
