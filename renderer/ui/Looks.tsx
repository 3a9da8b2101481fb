/**
 * What the person set for the whole window: language, theme, contrast. A change of language draws everything anew.
 */
import { Fragment, useEffect, useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { locale, type Speech } from '../../main/words/words.ts'
import { loadLanguage, wantedLanguage } from '../state/language.ts'
import { useSnapshot } from '../state/store.ts'

export function Looks({ children }: { children: () => ReactNode }): ReactNode {
  const [settings, languages, known] = useSnapshot(useShallow((s) => [s.app.settings, s.app.languages, s.app.version !== ''] as const))
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
  }, [settings.theme, settings.moreContrast, settings.comfortableRows])
  return spoken === undefined ? null : <Fragment key={spoken}>{children()}</Fragment>
}
