/**
 * Pings a device all four ways side by side: outside the tunnel, inside it, its system, its service for other devices.
 */
import { ArrowLeftRight } from 'lucide-react'
import { useRef, useState, type FormEvent, type ReactNode } from 'react'
import type { PingType, Status } from '../../preload/contract.ts'
import { roundTrip, safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'

const KINDS = ['disco', 'TSMP', 'ICMP', 'peerapi'] as const satisfies readonly PingType[]

interface Outcome {
  readonly name: string
  /** By kind: a round trip, or why there was none; absent = waited for. */
  readonly answers: Readonly<Partial<Record<PingType, { readonly ok: boolean; readonly words: string }>>>
}

export function DiagnosePing({ running }: { running: boolean }): ReactNode {
  const api = useApi()
  const status = useSnapshot((s) => s.status)
  const [text, setText] = useState('')
  const [unknown, setUnknown] = useState('')
  const [outcome, setOutcome] = useState<Outcome>()
  const turn = useRef(0)
  const go = (event: FormEvent): void => {
    event.preventDefault()
    const wanted = text.trim()
    if (wanted === '') return
    const ip = addressOf(status, wanted)
    setUnknown(ip === undefined ? wanted : '')
    const mine = ++turn.current
    setOutcome(ip === undefined ? undefined : { name: wanted, answers: {} })
    if (ip === undefined) return
    for (const kind of KINDS) {
      void api.call('ping', { ip, type: kind }).then((answer) => {
        if (turn.current !== mine) return
        const ok = answer.ok && answer.value.Err === ''
        const words = !answer.ok ? safeText(answer.message, 120) : ok ? roundTrip(answer.value.LatencySeconds * 1000) : safeText(answer.value.Err, 120)
        setOutcome((before) => before && { ...before, answers: { ...before.answers, [kind]: { ok, words } } })
      })
    }
  }
  return (
    <section className="tool" aria-labelledby="ping-title">
      <header className="tool-head"><ArrowLeftRight size={16} strokeWidth={1.9} aria-hidden="true" /><div><h3 id="ping-title">{t('diagnose.ping.title')}</h3><p className="small t3">{t('diagnose.ping.means')}</p></div></header>
      <form className="tool-form" onSubmit={go}>
        <label className="field grow"><span className="sr-only">{t('diagnose.ping.label')}</span><input value={text} maxLength={253} spellCheck={false} autoComplete="off" placeholder={t('diagnose.ping.hint')} onChange={(event) => setText(event.target.value)} /></label>
        <button type="submit" className="button" disabled={!running}>{t('diagnose.ping.go')}</button>
      </form>
      {unknown !== '' && <p className="small error-line" role="alert"><bdi>{t('diagnose.ping.unknown', { name: safeText(unknown, 100) })}</bdi></p>}
      {outcome && (
        <dl className="layers ping-layers selectable" aria-live="polite" aria-label={t('diagnose.ping.results', { name: safeText(outcome.name, 100) })}>
          {KINDS.map((kind) => {
            const answer = outcome.answers[kind]
            return <div key={kind}><dt>{t(`diagnose.ping.${kind}`)}</dt><dd className="num">{answer === undefined ? <span className="t3">{t('diagnose.ping.waiting')}</span> : answer.ok ? answer.words : <span className="t2" title={answer.words}>{t('diagnose.ping.none')}</span>}</dd></div>
          })}
        </dl>
      )}
    </section>
  )
}

/** An address of the device that is called so, or the address that was typed; a name that two devices have is nobody's. */
function addressOf(status: Status | undefined, text: string): string | undefined {
  if (/^[0-9a-f.:]{2,45}$/i.test(text) && /[.:]/.test(text)) return text
  const name = text.toLowerCase().replace(/\.$/, '')
  const all = Object.values(status?.Peer ?? {}).filter((peer) => {
    const full = peer.DNSName.toLowerCase().replace(/\.$/, '')
    return full === name || full.split('.')[0] === name
  })
  return all.length === 1 ? all[0]!.TailscaleIPs?.[0] : undefined
}
