/**
 * One setting: label, one line of what it does, the control at the right. A control moves when the fact comes back; one that the device
 * policy holds shows its value, keeps the focus and says whose rule it is.
 */
import { useState, type FormEvent, type ReactNode } from 'react'
import type { ManagedPref } from '../../main/localapi/policy.ts'
import { t } from '../../main/words/words.ts'
import type { AppSettingsPatch } from '../../preload/contract.ts'
import type { RowId } from '../state/settings-rows.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { PolicyLine, useLock } from '../ui/PolicyLine.tsx'
import { Switch } from '../ui/Switch.tsx'
import { useAsk, waits, type Ask } from '../ui/use-ask.ts'

interface RowProps {
  readonly id: RowId
  /** Instead of the line of what it does. */
  readonly words?: ReactNode
  readonly ask?: Ask
  /** The rule that holds it. */
  readonly lock?: string | undefined
  /** The control, for which the texts beside it are a description by `describedBy`. */
  readonly children?: ReactNode
  /** Below, in the whole width. */
  readonly below?: ReactNode
}

export function Row({ id, words, ask, lock, children, below }: RowProps): ReactNode {
  return (
    <div className="setting" data-setting={id}>
      <div className="setting-line">
        <div className="grow">
          <p className="strong-2" id={labelId(id)}>{t(`settings.row.${id}`)}</p>
          <p className="small t2" id={`${labelId(id)}-does`}>{words ?? t(`settings.does.${id}`)}</p>
          <PolicyLine id={`${labelId(id)}-lock`} rule={lock} />
          {ask && <AskWords ask={ask} />}
        </div>
        {children !== undefined && <div className="setting-control">{children}</div>}
      </div>
      {below}
    </div>
  )
}

export const labelId = (id: RowId): string => `setting-${id}`
/** What describes the control of a row. */
export const describedBy = (id: RowId, lock?: string): string => `${labelId(id)}-does${lock === undefined ? '' : ` ${labelId(id)}-lock`}`

/** A switch of the engine's prefs; `invert`: on means that the pref is off. */
export function PrefRow({ id, pref, invert = false }: { id: RowId; pref: ManagedPref & ('ShieldsUp' | 'CorpDNS' | 'RouteAll' | 'ExitNodeAllowLANAccess'); invert?: boolean }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const value = useSnapshot((s) => s.prefs?.[pref])
  const running = useSnapshot((s) => s.app.engine === 'running')
  const lock = useLock(pref)
  const flip = (): void => void ask.run(() => api.call('editPrefs', { [pref]: !value, [`${pref}Set`]: true }))
  return (
    <Row id={id} ask={ask} lock={lock}>
      <Switch on={(value ?? false) !== invert} wait={ask.wait} label={t(`settings.row.${id}`)} describedBy={describedBy(id, lock)} disabled={!running || value === undefined} locked={lock !== undefined} onFlip={flip} />
    </Row>
  )
}

/** A switch of the app's own settings. */
export function AppSwitchRow({ id, name }: { id: RowId; name: 'moreContrast' | 'comfortableRows' | 'singleKeys' | 'startAtLogin' | 'startDisconnected' | 'tryFirst' }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const on = useSnapshot((s) => s.app.settings[name])
  return (
    <Row id={id} ask={ask}>
      <Switch on={on} wait={ask.wait} label={t(`settings.row.${id}`)} describedBy={describedBy(id)} onFlip={() => void ask.run(() => api.call('editSettings', { [name]: !on }))} />
    </Row>
  )
}

export interface Choice {
  readonly value: string
  readonly label: string
  /** Language of the label, where it is another than the window's. */
  readonly lang?: string
}

interface ChoiceProps {
  readonly id: RowId
  readonly value: string
  readonly choices: readonly Choice[]
  readonly words?: ReactNode
  readonly lock?: string | undefined
  readonly choose: (value: string, ask: Ask) => void
}

/** One of a few; the list shows the old one until the fact is there. */
export function ChoiceRow({ id, value, choices, words, lock, choose }: ChoiceProps): ReactNode {
  const ask = useAsk()
  return (
    <Row id={id} ask={ask} words={words} lock={lock}>
      <select className="field select" value={value} aria-label={t(`settings.row.${id}`)} aria-describedby={describedBy(id, lock)} aria-disabled={lock !== undefined} aria-busy={waits(ask)} onChange={(event) => choose(event.target.value, ask)}>
        {choices.filter((choice) => lock === undefined || choice.value === value).map((choice) => <option key={choice.value} value={choice.value} {...(choice.lang === undefined ? {} : { lang: choice.lang })}>{choice.label}</option>)}
      </select>
    </Row>
  )
}

/** A choice of the app's own settings. */
export function AppChoiceRow({ id, value, choices, patch }: { id: RowId; value: string; choices: readonly Choice[]; patch: (value: string) => AppSettingsPatch }): ReactNode {
  const api = useApi()
  return <ChoiceRow id={id} value={value} choices={choices} choose={(next, ask) => void ask.run(() => api.call('editSettings', patch(next)))} />
}

/** A text of the engine's prefs, kept by its button or Enter. */
export function TextRow({ id, value, placeholder, lock, limit, keep }: { id: RowId; value: string; placeholder: string; lock: string | undefined; limit: number; keep: (text: string, ask: Ask) => Promise<boolean> }): ReactNode {
  const ask = useAsk()
  const [typed, setTyped] = useState<string | undefined>(undefined)
  const text = typed ?? value
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (lock === undefined && (await keep(text.trim(), ask))) setTyped(undefined)
  }
  return (
    <Row id={id} ask={ask} lock={lock}>
      <form className="setting-text" onSubmit={(event) => void submit(event)} noValidate>
        <input className="field" value={text} placeholder={placeholder} maxLength={limit} readOnly={lock !== undefined} aria-label={t(`settings.row.${id}`)} aria-describedby={describedBy(id, lock)} autoComplete="off" spellCheck={false}
          onChange={(event) => setTyped(event.target.value)} onKeyDown={(event) => event.key === 'Escape' && setTyped(undefined)} />
        {typed !== undefined && typed.trim() !== value && <button type="submit" className="button" aria-busy={waits(ask)}>{t('action.save')}</button>}
      </form>
    </Row>
  )
}
