/**
 * What the person set for the whole window: language, theme, contrast. A change of language draws everything anew.
 */
import { Fragment, useEffect, useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { locale, type Speech } from '../../main/words/words.ts'
import { loadLanguage, wantedLanguage } from '../state/language.ts'
import { useSnapshot } from '../state/store.ts'

const OS_NAMES: Readonly<Record<string, string>> = { win32: 'windows', darwin: 'macos' }

export function Looks({ children }: { children: () => ReactNode }): ReactNode {
  const [settings, languages, known, host, platform] = useSnapshot(useShallow(({ app }) => [app.settings, app.languages, app.version !== '', app.host, app.platform] as const))
  const [spoken, setSpoken] = useState<Speech | undefined>(undefined)
  const wanted = wantedLanguage({ settings, languages }, navigator.languages)
  useEffect(() => {
    if (!known) return undefined
    let stale = false
    void loadLanguage(wanted).then(() => {
      if (stale) return
      document.documentElement.lang = locale()
      setSpoken(wanted)
    })
    return () => {
      stale = true
    }
  }, [wanted, known])
  useEffect(() => {
    const { dataset } = document.documentElement
    if (settings.theme === 'system') delete dataset['theme']
    else dataset['theme'] = settings.theme
    if (settings.comfortableRows) dataset['density'] = 'comfortable'
    else delete dataset['density']
    if (settings.moreContrast) dataset['contrast'] = 'more'
    else delete dataset['contrast']
    // Whose buttons stand in the title bar, and how large its text is.
    if (host === 'electron') dataset['os'] = OS_NAMES[platform] ?? platform
  }, [settings.theme, settings.moreContrast, settings.comfortableRows, host, platform])
  return spoken === undefined ? null : <Fragment key={spoken}>{children()}</Fragment>
}
