/**
 * What is odd about names here, in the engine's own words: two that answer one name, a resolver that is silent. Nothing when all is well.
 */
import type { ReactNode } from 'react'
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { useLook } from '../state/looks.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'

const EVERY_MS = 10_000
const SHOWN = 5

export function OwnNames(): ReactNode {
  const api = useApi()
  const notes = useSnapshot((s) => s.dns?.Notes)
  useLook(api, 'dns', EVERY_MS)
  if (notes === undefined || notes.length === 0) return null
  return (
    <section className="block" aria-label={t('device.names')}>
      <h2>{t('device.names')}</h2>
      <ul className="plain lines">{notes.slice(0, SHOWN).map((note) => <li key={note}><span className="grow selectable">{safeText(note, 400)}</span></li>)}</ul>
    </section>
  )
}
