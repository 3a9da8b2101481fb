/**
 * Filters to press: whose devices, by path or tag, online only, and a chip for each token that was typed. All of them edit the text of
 * the search. One stop for Tab; arrow keys go from one to the next.
 */
import { ListFilter, Tag, X } from 'lucide-react'
import { useMemo, useState, type KeyboardEvent, type ReactNode } from 'react'
import { whole } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { filterDevices, hasWord, toggled, wordsOf, type Marks } from '../state/devices-query.ts'
import { setQuery, useList } from '../state/devices-session.ts'
import { focusSearch } from './DevicesSearch.tsx'

const WHOSE = [['is:mine', 'yours'], ['is:people', 'people'], ['is:tagged', 'tagged']] as const
const PRESSED: readonly string[] = [...WHOSE.map(([word]) => word), 'is:online']

export function DevicesFilters({ devices, marks }: { devices: readonly Device[]; marks: Marks }): ReactNode {
  const query = useList((s) => s.query)
  const [at, setAt] = useState(0)
  const counts = useMemo(() => {
    const visible = filterDevices(devices, '', marks)
    const mine = visible.filter((device) => device.mine).length
    const tagged = visible.filter((device) => device.tagged).length
    return { all: visible.length, yours: mine, people: visible.length - mine - tagged, tagged }
  }, [devices, marks])
  const whose = WHOSE.find(([word]) => hasWord(query, word))?.[0]
  const chips = wordsOf(query).filter((word) => word.key !== undefined && word.value !== '' && !PRESSED.includes(word.raw))
  const without = (): string => WHOSE.reduce((text, [word]) => (hasWord(text, word) ? toggled(text, word) : text), query)
  const typeToken = (key: string): void => {
    setQuery(`${query.trimEnd()}${query.trim() === '' ? '' : ' '}${key}:`)
    focusSearch()
  }
  const move = (event: KeyboardEvent<HTMLDivElement>): void => {
    const buttons = [...event.currentTarget.querySelectorAll('button')]
    const from = buttons.indexOf(document.activeElement as HTMLButtonElement)
    const to = { ArrowRight: from + 1, ArrowLeft: from - 1, Home: 0, End: buttons.length - 1 }[event.key]
    if (from < 0 || to === undefined) return
    event.preventDefault()
    const next = Math.max(0, Math.min(buttons.length - 1, to))
    setAt(next)
    buttons[next]!.focus()
  }
  const entries: readonly { key: string; label: ReactNode; isOn?: boolean; name?: string; className?: string; press: () => void }[] = [
    { key: 'all', label: <>{t('devices.filter.all')} <span className="n num">{whole(counts.all)}</span></>, isOn: whose === undefined, press: () => setQuery(without()) },
    ...WHOSE.filter(([, group]) => counts[group] > 0).map(([word, group]) => ({
      key: word, label: <>{t(`devices.group.${group}`)} <span className="n num">{whole(counts[group])}</span></>, isOn: whose === word,
      press: () => setQuery(whose === word ? without() : toggled(without(), word)),
    })),
    ...chips.map((chip) => ({
      key: chip.raw, className: 'chip', name: t('devices.filter.remove', { filter: chip.raw }), press: () => setQuery(toggled(query, chip.raw)),
      label: <><bdi className="cut">{chip.raw}</bdi><X size={14} aria-hidden="true" /></>,
    })),
    { key: 'path', className: 'more-filters', label: <><ListFilter size={16} strokeWidth={1.9} aria-hidden="true" />{t('devices.filter.path')}</>, press: () => typeToken('path') },
    ...(counts.tagged > 0 ? [{ key: 'tag', label: <><Tag size={16} strokeWidth={1.9} aria-hidden="true" />{t('devices.filter.tag')}</>, press: () => typeToken('tag') }] : []),
    { key: 'is:online', label: t('devices.filter.online'), isOn: hasWord(query, 'is:online'), press: () => setQuery(toggled(query, 'is:online')) },
  ]
  return (
    <div className="filters" role="toolbar" aria-label={t('devices.filters')} onKeyDown={move}>
      {entries.map(({ key, label, isOn, name, className, press }, index) => (
        <button key={key} type="button" className={`filter ${className ?? ''}`} tabIndex={index === Math.min(at, entries.length - 1) ? 0 : -1} onClick={press} onFocus={() => setAt(index)}
          {...(isOn === undefined ? {} : { 'aria-pressed': isOn })} {...(name === undefined ? {} : { 'aria-label': name })}>{label}</button>
      ))}
    </div>
  )
}
