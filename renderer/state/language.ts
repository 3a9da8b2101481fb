/**
 * The language of the window: what the person chose, else the first of the system's that there are messages for. Each language but
 * English is a file of its own, loaded when it is needed.
 */
import { pickLanguage, speak, type Language, type Speech } from '../../main/words/words.ts'
import { english, type Catalogue } from '../../main/words/english.ts'
import type { AppState } from '../../preload/contract.ts'

const CATALOGUES: Readonly<Record<Exclude<Language, 'en'>, () => Promise<Catalogue>>> = {
  de: async () => (await import('../../main/words/german.ts')).german,
  fr: async () => (await import('../../main/words/french.ts')).french,
  es: async () => (await import('../../main/words/spanish.ts')).spanish,
  ja: async () => (await import('../../main/words/japanese.ts')).japanese,
  'zh-CN': async () => (await import('../../main/words/chinese.ts')).chinese,
}

/** Which language the window is to speak. */
export function wantedLanguage({ settings, languages }: Pick<AppState, 'settings' | 'languages'>, browser: readonly string[]): Speech {
  return settings.language === 'system' ? pickLanguage(languages.length > 0 ? languages : browser) : settings.language
}

/** Makes the messages of a language the ones in use. */
export async function loadLanguage(wanted: Speech): Promise<void> {
  speak(wanted, wanted === 'en' || wanted === 'pseudo' ? english : await CATALOGUES[wanted]())
}
