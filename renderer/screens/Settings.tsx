/**
 * Settings: pages at the left, rows at the right, and a field that finds a row on any page. What the device policy holds is said above,
 * and announced when it changes while somebody looks.
 */
import { AtSign, Bell, FileDown, Building2, Download, Info, Plug, Shield, SlidersHorizontal, Users, Wrench, type LucideIcon } from 'lucide-react'
import { useDeferredValue, useEffect, useRef, useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { capital } from '../../main/words/format.ts'
import { managerOf } from '../../main/words/held.ts'
import { rich, t } from '../../main/words/words.ts'
import { heldCount, policyChanges } from '../state/policy.ts'
import { foundRows, groupsOf, pageOf, pagesOf, rowsThere, type PageId } from '../state/settings-rows.ts'
import { useSnapshot } from '../state/store.ts'
import { SearchField } from '../ui/SearchField.tsx'
import { SETTINGS } from './SettingsList.tsx'

const ICONS: Readonly<Record<PageId, LucideIcon>> = { general: SlidersHorizontal, connection: Plug, names: AtSign, files: FileDown, notifications: Bell, accounts: Users, privacy: Shield, advanced: Wrench, updates: Download, about: Info }

export function Settings({ page: word }: { page: string }): ReactNode {
  const [app, policy, signedIn] = useSnapshot(useShallow((s) => [s.app, s.policy, s.status?.HaveNodeKey === true] as const))
  const [typed, setTyped] = useState('')
  const wanted = useDeferredValue(typed.trim())
  const rows = rowsThere({ app, policy, signedIn })
  const pages = pagesOf(rows)
  const page = pageOf(word, pages)
  const body = useRef<HTMLDivElement>(null)
  const list = useRef<HTMLElement>(null)
  useEffect(() => {
    setTyped('')
    if (body.current) body.current.scrollTop = 0
    // Where the window is narrow the pages stand in one line that scrolls.
    list.current?.querySelector('.on')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [page])
  return (
    <div className="settings">
      <header className="bar">
        <h1>{t('place.settings')}</h1>
        <span className="grow" />
        <SearchField value={typed} onChange={setTyped} label={t('settings.find')} placeholder={t('settings.find')} />
      </header>
      <div className="settings-body">
        <nav className="settings-pages" ref={list} aria-label={t('settings.pages')}>
          {pages.map((one) => {
            const Icon = ICONS[one]
            const here = wanted === '' && one === page
            return <a key={one} href={`#/settings/${one}`} className={here ? 'on' : ''} {...(here ? { 'aria-current': 'page' } : {})} onClick={() => setTyped('')}><Icon size={16} strokeWidth={1.9} aria-hidden="true" />{t(`settings.page.${one}`)}</a>
          })}
        </nav>
        {/* Scrolls, so it has to be reached by keys. */}
        <div className="settings-rows scroll" ref={body} tabIndex={-1}>
          <Managed />
          <EngineAway />
          {wanted === '' ? <Page page={page} rows={rows} /> : <Found typed={wanted} rows={rows} />}
        </div>
      </div>
    </div>
  )
}

function Page({ page, rows }: { page: PageId; rows: ReturnType<typeof rowsThere> }): ReactNode {
  return (
    <div className="settings-page">
      {groupsOf(page, rows).map((group) => (
        <section key={group.id} aria-labelledby={`group-${group.id}`}>
          <h2 id={`group-${group.id}`} className="settings-group">{t(`settings.group.${group.id}`)}</h2>
          {group.rows.map((row) => <Setting key={row} row={row} />)}
        </section>
      ))}
    </div>
  )
}

function Found({ typed, rows }: { typed: string; rows: ReturnType<typeof rowsThere> }): ReactNode {
  const found = foundRows(typed, rows)
  const count = found.reduce((sum, page) => sum + page.rows.length, 0)
  return (
    <div className="settings-page">
      <p className="small t3 settings-count" role="status">{t('settings.count', { n: count })}</p>
      {found.map((page) => (
        <section key={page.page} aria-labelledby={`found-${page.page}`}>
          <h2 id={`found-${page.page}`} className="settings-group">{t(`settings.page.${page.page}`)}</h2>
          {page.rows.map((row) => <Setting key={row} row={row} />)}
        </section>
      ))}
    </div>
  )
}

function Setting({ row }: { row: keyof typeof SETTINGS }): ReactNode {
  const Drawn = SETTINGS[row]
  return <Drawn />
}

/** While the engine is away the app's own settings work, and the engine's wait. */
function EngineAway(): ReactNode {
  const running = useSnapshot((s) => s.app.engine === 'running')
  return running ? null : <p className="notice quiet settings-notice" role="status">{t('settings.engineAway')}</p>
}

function Managed(): ReactNode {
  const policy = useSnapshot((s) => s.policy)
  const before = useRef(policy)
  const [changed, setChanged] = useState({ count: 0, by: '' })
  useEffect(() => {
    if (before.current === policy) return
    const count = policyChanges(before.current, policy)
    // A policy that is gone names nobody.
    if (count > 0) setChanged({ count, by: managerOf(policy.Settings ? policy : before.current) })
    before.current = policy
  }, [policy])
  const held = heldCount(policy)
  const manager = <bdi key="manager">{capital(managerOf(policy))}</bdi>
  return (
    <>
      {held > 0 && (
        <div className="notice settings-notice">
          <Building2 size={16} strokeWidth={1.9} aria-hidden="true" />
          <p className="grow"><span className="strong-2">{rich<ReactNode>('settings.policy.manages', { manager, n: held })}</span> <span className="t2">{t('settings.policy.shown')}</span></p>
          <a className="small" href="#/settings/advanced">{t('settings.policy.all')}</a>
        </div>
      )}
      <p className={changed.count === 0 ? 'sr-only' : 'notice quiet settings-notice'} role="status">{changed.count > 0 && <span>{rich<ReactNode>('settings.policy.changed', { manager: <bdi key="manager">{capital(changed.by)}</bdi>, n: changed.count })}</span>}</p>
    </>
  )
}
