/**
 * Choosing an exit node, letting go of it, pausing and checking it, and being one: the engine answers with what it made of it, and
 * only then does anything here move.
 */
import type { Answer, ExitNodeFailure, ExitNodesPage } from '../../preload/contract.ts'
import { takeExitNodes } from '../state/looks.ts'
import { useApi } from './ApiContext.tsx'
import { useAsk, type Ask } from './use-ask.ts'

export interface Exit {
  readonly ask: Ask
  /** undefined: the engine chooses. */
  use(id: string | undefined): Promise<boolean>
  clear(): Promise<boolean>
  pause(on: boolean): Promise<boolean>
  check(): Promise<boolean>
  setLan(allow: boolean): Promise<boolean>
  setFailure(failure: ExitNodeFailure): Promise<boolean>
  /** This device as one for others. */
  offer(on: boolean): Promise<boolean>
}

export function useExit(): Exit {
  const api = useApi()
  const ask = useAsk()
  const take = (answer: Answer<ExitNodesPage>): Answer<ExitNodesPage> => {
    if (answer.ok) takeExitNodes(answer.value)
    return answer
  }
  const run = (work: () => Promise<Answer<ExitNodesPage>>): Promise<boolean> => ask.run(async () => take(await work()))
  /** For what is set elsewhere: the page after it. */
  const then = (work: () => Promise<Answer<unknown>>): Promise<boolean> => ask.run(async () => {
    const answer = await work()
    return answer.ok ? take(await api.call('exitNodes', {})) : answer
  })
  return {
    ask,
    use: (id) => run(() => api.call('useExitNode', id === undefined ? {} : { id })),
    clear: () => run(() => api.call('clearExitNode', {})),
    pause: (on) => run(() => api.call('pauseExitNode', { on })),
    check: () => run(() => api.call('checkExitNode', {})),
    setLan: (allow) => then(() => api.call('editPrefs', { ExitNodeAllowLANAccess: allow, ExitNodeAllowLANAccessSet: true })),
    setFailure: (failure) => then(() => api.call('setExitNodeFailure', { failure })),
    offer: (on) => then(() => api.call('offer', { prefixes: 'exit', on })),
  }
}
