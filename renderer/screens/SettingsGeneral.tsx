/**
 * How the window looks, which keys it takes, and what the app does when it starts and ends.
 */
import type { ReactNode } from 'react'
import { LANGUAGE_CHOICES, ON_QUIT, THEMES, type LanguageChoice, type OnQuit, type Theme } from '../../main/localapi/app-settings.ts'
import { t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { AppChoiceRow, type Choice } from './SettingsRow.tsx'

export function ThemeRow(): ReactNode {
  const theme = useSnapshot((s) => s.app.settings.theme)
  return <AppChoiceRow id="theme" value={theme} choices={THEMES.map((value) => ({ value, label: t(`settings.theme.${value}`) }))} patch={(value) => ({ theme: value as Theme })} />
}

/** Each language by its own name: whoever is lost in another one finds it. */
const OWN_NAMES: Readonly<Record<Exclude<LanguageChoice, 'system' | 'pseudo'>, string>> = { en: 'English', de: 'Deutsch', fr: 'Français', es: 'Español', ja: '日本語', 'zh-CN': '简体中文' }

export function LanguageRow(): ReactNode {
  const language = useSnapshot((s) => s.app.settings.language)
  // The one for tests is there for who has it already.
  const choices = LANGUAGE_CHOICES.filter((one) => one !== 'pseudo' || language === 'pseudo').map((value): Choice => {
    if (value === 'system') return { value, label: t('settings.language.system') }
    return value === 'pseudo' ? { value, label: t('settings.language.pseudo') } : { value, label: OWN_NAMES[value], lang: value }
  })
  return <AppChoiceRow id="language" value={language} choices={choices} patch={(value) => ({ language: value as LanguageChoice })} />
}

export function OnQuitRow(): ReactNode {
  const onQuit = useSnapshot((s) => s.app.settings.onQuit)
  // An engine of the app's own ends with it: there is nothing to keep.
  const hosted = useSnapshot((s) => s.app.engineHost === 'app')
  const choices = ON_QUIT.filter((one) => one !== 'keep' || !hosted || onQuit === 'keep')
  return <AppChoiceRow id="onQuit" value={onQuit} choices={choices.map((value) => ({ value, label: t(`settings.onQuit.${value}`) }))} patch={(value) => ({ onQuit: value as OnQuit })} />
}
