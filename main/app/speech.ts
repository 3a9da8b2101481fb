/**
 * The language of menus, dialogs and notices: what the person chose, else the first of the system's that there are messages for.
 */
import type { AppSettings } from '../localapi/app-settings.ts'
import { chinese } from '../words/chinese.ts'
import { english, type Catalogue } from '../words/english.ts'
import { french } from '../words/french.ts'
import { german } from '../words/german.ts'
import { japanese } from '../words/japanese.ts'
import { spanish } from '../words/spanish.ts'
import { pickLanguage, speak, type Speech } from '../words/words.ts'

const CATALOGUES: Readonly<Record<Speech, Catalogue>> = { en: english, pseudo: english, de: german, fr: french, es: spanish, ja: japanese, 'zh-CN': chinese }

let spoken: Speech | undefined

/** Speaks the wanted language from now on; true when it is another than before, and what is drawn already must be drawn anew. */
export function speakTo(settings: Pick<AppSettings, 'language'>, languages: readonly string[]): boolean {
  const wanted = settings.language === 'system' ? pickLanguage(languages) : settings.language
  if (wanted === spoken) return false
  spoken = wanted
  speak(wanted, CATALOGUES[wanted])
  return true
}
