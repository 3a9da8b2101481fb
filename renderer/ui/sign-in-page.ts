/**
 * Opens the server's sign-in page once by itself for each link, and again when asked to.
 */
import { useEffect, useRef, useState } from 'react'
import { useApi } from './ApiContext.tsx'

export interface SignInPage {
  readonly opened: boolean
  /** Why it could not be opened; '' = it could. */
  readonly problem: string
  open(): Promise<void>
}

export function useSignInPage(url: string): SignInPage {
  const api = useApi()
  const [opened, setOpened] = useState(false)
  const [problem, setProblem] = useState('')
  const tried = useRef('')
  const open = async (): Promise<void> => {
    const answer = await api.call('openExternal', { url })
    setOpened(answer.ok)
    setProblem(answer.ok || answer.code === 'needs-click' ? '' : answer.message)
  }
  useEffect(() => {
    if (url === '' || tried.current === url) return
    tried.current = url
    void open()
  })
  return { opened, problem, open }
}
