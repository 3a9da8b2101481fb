/**
 * Opens the server's sign-in page once by itself for each time that somebody asked for one, and again when asked to. A link
 * that takes the place of another meanwhile is shown and not opened: pages that pop up by themselves frighten people.
 */
import { useEffect, useRef, useState } from 'react'
import { useSnapshot } from '../state/store.ts'
import { useApi } from './ApiContext.tsx'

export interface SignInPage {
  readonly opened: boolean
  /** Why it could not be opened; '' = it could. */
  readonly problem: string
  open(): Promise<void>
}

export function useSignInPage(url: string): SignInPage {
  const api = useApi()
  const asked = useSnapshot((s) => s.asked)
  const [opened, setOpened] = useState('')
  const [problem, setProblem] = useState('')
  const done = useRef(-1)
  const open = async (): Promise<void> => {
    const answer = await api.call('openExternal', { url })
    if (answer.ok) setOpened(url)
    setProblem(answer.ok || answer.code === 'needs-click' ? '' : answer.message)
  }
  useEffect(() => {
    if (url === '' || done.current === asked) return
    done.current = asked
    void open()
  })
  return { opened: opened === url && url !== '', problem, open }
}
