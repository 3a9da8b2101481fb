/**
 * Opens the server's sign-in page once by itself for each time that somebody asked for one here, and again when asked to. A
 * link that comes otherwise, or takes the place of another, is shown and not opened: pages that pop up by themselves
 * frighten people.
 */
import { useEffect, useState } from 'react'
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
  const wantsPage = useSnapshot((s) => s.wantsPage)
  const [opened, setOpened] = useState('')
  const [problem, setProblem] = useState('')
  const open = async (): Promise<void> => {
    const answer = await api.call('openExternal', { url })
    if (answer.ok) setOpened(url)
    setProblem(answer.ok || answer.code === 'needs-click' ? '' : answer.message)
  }
  useEffect(() => {
    if (url === '' || !wantsPage) return
    useSnapshot.setState({ wantsPage: false })
    void open()
  })
  return { opened: opened === url && url !== '', problem, open }
}
