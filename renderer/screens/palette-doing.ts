/**
 * What the command palette knows of its surroundings, and what it does.
 */
import { useMemo } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { Answer, BowlineApi } from '../../preload/contract.ts'
import { accountRows } from '../state/accounts.ts'
import { useAccountView, useDevices } from '../state/devices-live.ts'
import { look, takeExitNodes } from '../state/looks.ts'
import { chooseToSend } from '../state/sending.ts'
import type { Doing, Surroundings } from '../state/palette.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { connect } from '../ui/connect.ts'
import { say } from '../ui/toast.ts'

export function usePaletteSurroundings(): Surroundings {
  const [app, status, exit, policy, profiles] = useSnapshot(useShallow((s) => [s.app, s.status, s.exitNodes, s.policy, s.profiles] as const))
  const on = useSnapshot((s) => s.prefs?.WantRunning ?? s.status?.BackendState !== 'Stopped')
  const devices = useDevices()
  const view = useAccountView()
  return useMemo(
    () => ({ app, status, devices, view, accounts: accountRows(profiles), exit, policy, on }),
    [app, status, devices, view, profiles, exit, policy, on],
  )
}

/** Does it; what cannot be done is said at the foot of the window. */
export function usePaletteDoing(onKeyboard: () => void): (doing: Doing) => void {
  const api = useApi()
  return (doing) => {
    if (doing.kind === 'keyboard') return onKeyboard()
    void perform(api, doing).then((answer) => {
      if (!answer.ok && answer.code !== 'needs-click') say(safeText(answer.message, 200))
    })
  }
}

const DONE: Answer<null> = { ok: true, value: null }

async function perform(api: BowlineApi, doing: Doing): Promise<Answer<unknown>> {
  switch (doing.kind) {
    case 'go':
      window.location.hash = doing.hash
      return DONE
    case 'copy':
      return copied(doing.text)
    case 'connect':
      return connect(api, doing.on)
    case 'use-exit':
    case 'clear-exit': {
      const answer = await (doing.kind === 'use-exit' ? api.call('useExitNode', { id: doing.id }) : api.call('clearExitNode', {}))
      if (answer.ok) takeExitNodes(answer.value)
      return answer
    }
    case 'switch-account':
      return api.call('switchProfile', { id: doing.id })
    case 'add-account':
      return api.call('addProfile', {})
    case 'restart-engine':
      return api.call('restartEngine', {})
    case 'quit':
      return api.call('quit', {})
    case 'open-page': {
      const answer = await api.call('openForward', { To: doing.to, Scheme: doing.scheme })
      return answer.ok ? api.call('openExternal', { url: answer.value.URL ?? '' }) : answer
    }
    case 'open-port': {
      const answer = await api.call('openForward', { To: doing.to })
      if (!answer.ok) return answer
      void look(api, 'forwards')
      return copied(answer.value.Listen)
    }
    case 'send':
      await chooseToSend(api, false, doing.peer, say)
      return DONE
    case 'open-inbox':
      return api.call('openInbox', {})
    case 'keyboard':
    case 'type':
      return DONE
  }
}

async function copied(text: string): Promise<Answer<null>> {
  await navigator.clipboard.writeText(text)
  say(t('palette.copied', { what: safeText(text, 60) }))
  return DONE
}
