/**
 * Choosing an exit node and letting go of it: asks, then looks at what the engine made of it, so that a control waits for the fact.
 */
import type { Answer } from '../../preload/contract.ts'
import { look } from '../state/looks.ts'
import { useApi } from './ApiContext.tsx'
import { useAsk, type Ask } from './use-ask.ts'

export interface Exit {
  readonly ask: Ask
  /** undefined: the engine chooses. */
  use(id: string | undefined): Promise<boolean>
  clear(): Promise<boolean>
}

export function useExit(): Exit {
  const api = useApi()
  const ask = useAsk()
  const then = (work: () => Promise<Answer<unknown>>): Promise<boolean> => ask.run(async () => {
    const answer = await work()
    return answer.ok ? look(api, 'exitNodes') : answer
  })
  return {
    ask,
    use: (id) => then(() => api.call('useExitNode', id === undefined ? {} : { id })),
    clear: () => then(() => api.call('clearExitNode', {})),
  }
}
