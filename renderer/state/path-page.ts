/**
 * One device's path with its evidence, kept fresh while somebody looks at it: the engine holds each answer back until it has
 * news, so an unchanged path costs one request in five seconds, and a hidden window none.
 */
import { useEffect, useState } from 'react'
import type { BowlineApi, PathPage } from '../../preload/contract.ts'
import { shown } from './shown.ts'

export interface PathLook {
  readonly page: PathPage
  /** Wall time at which it came: ages in the page count from there. */
  readonly atMs: number
}

const RETRY_MS = 1000

/** The page of a device by its node key; undefined until the first answer. */
export function usePathPage(api: BowlineApi, peer: string, running: boolean): PathLook | undefined {
  const [look, setLook] = useState<PathLook>()
  useEffect(() => {
    if (!running) return undefined
    let stopped = false
    const follow = async (): Promise<void> => {
      let after: number | undefined
      while (!stopped) {
        if (document.hidden) await shown()
        const answer = await api.call('path', after === undefined ? { peer } : { peer, after })
        if (stopped) return
        if (answer.ok) {
          after = answer.value.version
          setLook({ page: answer.value, atMs: Date.now() })
        } else await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
    void follow()
    return () => {
      stopped = true
    }
  }, [api, peer, running])
  return look?.page.peer === peer ? look : undefined
}
