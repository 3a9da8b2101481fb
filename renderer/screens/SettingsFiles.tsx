/**
 * What may come in, from whom, and where to: rules for all, and for single devices before them.
 */
import { X } from 'lucide-react'
import type { ReactNode } from 'react'
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { IncomingRule } from '../../main/localapi/transfers.ts'
import type { Answer, BowlineApi, Requests, TaildropSettings } from '../../preload/contract.ts'
import { look, useLook } from '../state/looks.ts'
import { useSnapshot } from '../state/store.ts'
import { named } from '../state/transfers-words.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { useAsk, waits, type Ask } from '../ui/use-ask.ts'
import { ChoiceRow, Row } from './SettingsRow.tsx'

const EVERY_MS = 15_000
const RULES: readonly IncomingRule[] = ['ask', 'accept', 'refuse']

function useTaildrop(): TaildropSettings | undefined {
  const api = useApi()
  useLook(api, 'taildropSettings', EVERY_MS)
  return useSnapshot((s) => s.taildropSettings)
}

/** The answer is what is so now. */
async function edit(api: BowlineApi, change: Requests['editTaildrop']['send']): Promise<Answer<unknown>> {
  const answer = await api.call('editTaildrop', change)
  if (answer.ok) useSnapshot.setState({ taildropSettings: answer.value })
  return answer
}

export function InboxRow(): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const settings = useTaildrop()
  const inApp = useSnapshot((s) => s.app.host === 'electron')
  const choose = async (): Promise<Answer<unknown>> => {
    const answer = await api.call('chooseFolder', { for: 'inbox' })
    if (answer.ok) void look(api, 'taildropSettings')
    return answer
  }
  const isSet = (settings?.Folder ?? '') !== ''
  return (
    <Row id="inbox" ask={ask} words={settings === undefined ? t('settings.unknown') : isSet ? t('settings.does.inbox') : t('settings.inbox.engine')}
      below={isSet && <p className="small selectable inbox-path"><bdi>{safeText(settings!.Folder, 400)}</bdi></p>}>
      {isSet && <button type="button" className="button ghost" onClick={() => void ask.run(() => edit(api, { Folder: '' }))}>{t('settings.inbox.giveUp')}</button>}
      {inApp && <button type="button" className="button" aria-busy={waits(ask)} onClick={() => void ask.run(choose)}>{t('settings.inbox.choose')}</button>}
    </Row>
  )
}

/** For all devices of the same owner, or of others. */
export function FromRow({ id }: { id: 'fromOwn' | 'fromOthers' }): ReactNode {
  const api = useApi()
  const settings = useTaildrop()
  if (!settings) return <Row id={id} />
  const value = id === 'fromOwn' ? settings.Own : settings.Others
  const change = (next: string): Requests['editTaildrop']['send'] => (id === 'fromOwn' ? { Own: next as IncomingRule } : { Others: next as IncomingRule })
  return <ChoiceRow id={id} value={value} choices={choices()} words={`${t(`settings.does.${id}`)} ${t(`settings.ruleMeans.${value}`)}`} choose={(next, ask) => void ask.run(() => edit(api, change(next)))} />
}

const choices = (): readonly { value: IncomingRule; label: string }[] => RULES.map((value) => ({ value, label: t(`settings.rule.${value}`) }))

export function BySenderRow(): ReactNode {
  const ask = useAsk()
  const settings = useTaildrop()
  const senders = Object.entries(settings?.Senders ?? {})
  return (
    <Row id="bySender" ask={ask} words={settings && senders.length === 0 ? t('settings.bySender.none') : t('settings.does.bySender')}
      below={settings && senders.length > 0 && <ul className="plain senders">{senders.map(([id, rule]) => <li key={id}><Sender id={id} rule={rule} senders={settings.Senders} ask={ask} /></li>)}</ul>} />
  )
}

function Sender({ id, rule, senders, ask }: { id: string; rule: IncomingRule; senders: TaildropSettings['Senders']; ask: Ask }): ReactNode {
  const api = useApi()
  const known = useSnapshot((s) => Object.values(s.status?.Peer ?? {}).find((peer) => peer.ID === id)?.DNSName.split('.')[0])
  const device = known === undefined || known === '' ? t('settings.bySender.gone') : named(known, 60)
  const { [id]: _gone, ...rest } = senders
  return (
    <>
      <bdi className="grow cut" title={device}>{device}</bdi>
      <select className="field select" value={rule} aria-label={t('settings.bySender.rule', { device })} aria-busy={waits(ask)} onChange={(event) => void ask.run(() => edit(api, { Senders: { ...senders, [id]: event.target.value as IncomingRule } }))}>
        {choices().map(({ value, label }) => <option key={value} value={value}>{label}</option>)}
      </select>
      <button type="button" className="icon-button" aria-label={t('settings.bySender.remove', { device })} title={t('settings.bySender.remove', { device })} onClick={() => void ask.run(() => edit(api, { Senders: rest }))}><X size={16} strokeWidth={1.9} aria-hidden="true" /></button>
    </>
  )
}
