/**
 * How this computer joins: apps only or the whole computer, with what each means, how it stands, why it cannot be and what to do about it,
 * and what is not as it should be.
 */
import { Copy, TriangleAlert } from 'lucide-react'
import { useEffect, useState, type KeyboardEvent, type ReactNode } from 'react'
import { safeText } from '../../main/words/format.ts'
import { rich, t } from '../../main/words/words.ts'
import type { MachineMode, MachinePage, MachineWhy, ServicePage } from '../../preload/contract.ts'
import { machineFacts, machineWords, serviceHelps, whyWords } from '../state/machine.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { useAsk, waits, type Ask } from '../ui/use-ask.ts'
import { ModeDialog } from './ModeDialog.tsx'
import { describedBy, labelId, Row } from './SettingsRow.tsx'

const MODES: readonly MachineMode[] = ['apps', 'whole']

export function ModeRow(): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const page = useSnapshot((s) => s.machine)
  const running = useSnapshot((s) => s.app.engine === 'running')
  const [open, setOpen] = useState(false)
  const choose = (mode: MachineMode): void => void ask.run(() => api.call('setMode', { mode }))
  return (
    <>
      <Row id="mode" ask={ask} words={page === undefined ? t('settings.unknown') : t('settings.does.mode')} below={page && (
        <>
          <Choices page={page} running={running} ask={ask} choose={choose} />
          <State page={page} />
          {page.Cannot && page.Mode === 'apps' && <Cannot why={page.Cannot} />}
        </>
      )}>
        <button type="button" className="button" aria-haspopup="dialog" onClick={() => setOpen(true)}>{t('settings.mode.how')}</button>
      </Row>
      {open && <ModeDialog onClose={() => setOpen(false)} />}
    </>
  )
}

function Choices({ page, running, ask, choose }: { page: MachinePage; running: boolean; ask: Ask; choose: (mode: MachineMode) => void }): ReactNode {
  const cannot = (mode: MachineMode): boolean => !running || (mode === 'whole' && page.Mode !== 'whole' && page.Cannot !== undefined)
  const move = (event: KeyboardEvent<HTMLDivElement>): void => {
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    const buttons = [...event.currentTarget.querySelectorAll('button')]
    buttons.at((buttons.indexOf(document.activeElement as HTMLButtonElement) + step) % buttons.length)?.focus()
  }
  return (
    <div className="mode-choices" role="radiogroup" aria-labelledby={labelId('mode')} aria-describedby={describedBy('mode')} aria-busy={waits(ask)} onKeyDown={move}>
      {MODES.map((mode) => (
        <button key={mode} type="button" role="radio" className="mode-choice" aria-checked={page.Mode === mode} aria-disabled={cannot(mode)} tabIndex={page.Mode === mode ? 0 : -1} onClick={() => !cannot(mode) && page.Mode !== mode && choose(mode)}>
          <span className="radio" aria-hidden="true" />
          <span><span className="strong-2">{t(`machine.mode.${mode}`)}</span><br /><span className="small t2">{t(`machine.mode.${mode}.means`)}</span></span>
        </button>
      ))}
    </div>
  )
}

/** How the whole computer stands; nothing while it is apps only. */
function State({ page }: { page: MachinePage }): ReactNode {
  const facts = machineFacts(page)
  if (page.State === 'off' && page.Problems.length === 0) return null
  const isBad = page.State === 'failed' || page.State === 'holding'
  return (
    <div className="mode-state">
      {page.State !== 'off' && <p className={isBad ? 'error-line' : 't2'} role="status">{machineWords(page)}</p>}
      {facts.length > 0 && <dl className="facts">{facts.map(({ label, value }) => <div key={label}><dt>{label}</dt><dd className="selectable">{value}</dd></div>)}</dl>}
      {page.Problems.length > 0 && (
        <section aria-labelledby="machine-problems">
          <h3 id="machine-problems">{t('machine.problems')}</h3>
          <ul className="plain mode-problems">{page.Problems.map((why) => <li key={why.Code}><TriangleAlert size={14} strokeWidth={1.9} aria-hidden="true" /><span className="selectable">{whyWords(why)}</span></li>)}</ul>
        </section>
      )}
    </div>
  )
}

/** Why the whole computer cannot be had, and the next step where there is one. */
function Cannot({ why }: { why: MachineWhy }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const [service, setService] = useState<ServicePage>()
  const [said, setSaid] = useState('')
  const helps = serviceHelps(why)
  useEffect(() => {
    if (helps) void api.call('service', {}).then((answer) => answer.ok && setService(answer.value))
  }, [api, helps])
  const install = (): void => void ask.run(async () => {
    const answer = await api.call('installService', {})
    if (answer.ok) {
      setService(answer.value.Service)
      setSaid(answer.value.Did === 'declined' ? t('machine.cannot.declined') : answer.value.Did === 'failed' && answer.value.Why ? whyWords(answer.value.Why) : '')
    }
    return answer
  })
  const isOffered = service !== undefined && service.System !== 'none' && !service.Running
  return (
    <div className="mode-state">
      <p className="small t2">{whyWords(why)}</p>
      {isOffered && (service.CannotAsk === undefined
        ? <p className="mode-cannot"><button type="button" className="button ink" aria-busy={waits(ask)} onClick={install}>{waits(ask) ? t('machine.cannot.installing') : t('machine.cannot.install')}</button></p>
        : <p className="mode-cannot small"><span className="t2">{t('machine.cannot.command')}</span> <code className="mono selectable">{safeText(service.InstallCommand, 200)}</code><CopyButton text={service.InstallCommand} className="icon-button"><Copy size={14} strokeWidth={1.9} aria-hidden="true" /></CopyButton></p>)}
      <p className="small t2" role="status">{said}</p>
      <AskWords ask={ask} />
    </div>
  )
}

/** The service of this computer while this window speaks with it, and the way to be rid of it. */
export function ServiceRow(): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const [service, setService] = useState<ServicePage>()
  useEffect(() => {
    void api.call('service', {}).then((answer) => answer.ok && setService(answer.value))
  }, [api])
  if (service === undefined || !service.InUse) return <Row id="service" words={t('settings.service.none')} />
  const remove = (): void => void ask.run(async () => {
    const answer = await api.call('removeService', {})
    if (answer.ok) setService(answer.value.Service)
    return answer
  })
  return (
    <Row id="service" ask={ask} words={t('machine.service.inUse')} below={service.CannotAsk && <p className="small t2">{rich<ReactNode>('settings.service.removeBy', { command: <code key="command" className="mono selectable">{safeText(service.RemoveCommand, 200)}</code> })}</p>}>
      {!service.CannotAsk && <button type="button" className="button" aria-busy={waits(ask)} onClick={remove}>{t('machine.service.remove')}</button>}
    </Row>
  )
}
