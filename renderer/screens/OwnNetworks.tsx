/**
 * This device's part in networks: whether it uses those behind other devices, and what it offers of its own to the others.
 */
import { Trash2 } from 'lucide-react'
import { useState, type FormEvent, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import type { Answer, OfferedRoute } from '../../preload/contract.ts'
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { look, useLook } from '../state/looks.ts'
import { isNetwork, offeredWords } from '../state/networks.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { PolicyLine, useLock } from '../ui/PolicyLine.tsx'
import { Switch } from '../ui/Switch.tsx'
import { useAsk, waits, type Ask } from '../ui/use-ask.ts'

const EVERY_MS = 2000

export function OwnNetworks(): ReactNode {
  const [page, running] = useSnapshot(useShallow((s) => [s.routes, s.status?.BackendState === 'Running' && s.app.engine === 'running'] as const))
  const api = useApi()
  useLook(api, 'routes', EVERY_MS)
  if (!page) return null
  const offered = page.Offered.filter((route) => isNetwork(route.Prefix))
  return (
    <section className="block" aria-label={t('device.own')}>
      <h2>{t('device.own')}</h2>
      <Accept on={page.Accept} count={page.Routes.filter((row) => isNetwork(row.Prefix)).length} running={running} />
      <p className="strong-2 offer-title" id="offer-networks">{t('device.own.offers')}</p>
      {offered.length > 0 && <ul className="plain lines">{offered.map((route) => <Offered key={route.Prefix} route={route} running={running} />)}</ul>}
      <OfferNetwork running={running} />
    </section>
  )
}

function Accept({ on, count, running }: { on: boolean; count: number; running: boolean }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  const rule = useLock('RouteAll')
  const flip = (): void => void ask.run(async () => {
    const answer = await api.call('editPrefs', { RouteAll: !on, RouteAllSet: true })
    return answer.ok ? look(api, 'routes') : answer
  })
  return (
    <div className="line">
      <div className="grow">
        <p className="strong-2">{t('device.own.use')}</p>
        <p className="small t2" id="accept-words">{t('device.own.count', { n: count })}</p>
        <PolicyLine id="accept-rule" rule={rule} />
        <AskWords ask={ask} />
      </div>
      <Switch on={on} wait={ask.wait} label={t('device.own.use')} describedBy={rule === undefined ? 'accept-words' : 'accept-words accept-rule'} disabled={!running} locked={rule !== undefined} onFlip={flip} />
    </div>
  )
}

function useOffer(): { readonly ask: Ask; readonly set: (prefix: string, on: boolean) => Promise<boolean> } {
  const api = useApi()
  const ask = useAsk()
  const set = (prefix: string, on: boolean): Promise<boolean> => ask.run(async (): Promise<Answer<unknown>> => {
    const answer = await api.call('offer', { prefixes: [prefix], on })
    return answer.ok ? look(api, 'routes') : answer
  })
  return { ask, set }
}

function Offered({ route, running }: { route: OfferedRoute; running: boolean }): ReactNode {
  const { ask, set } = useOffer()
  return (
    <li>
      <div className="grow">
        <p><span className="num strong-2 selectable">{route.Prefix}</span> <span className={route.Approved ? 't2' : 'warn-text'}>{offeredWords(route)}</span></p>
        {route.Note !== undefined && route.Note !== '' && <p className="small t2">{safeText(route.Note, 200)}</p>}
        <AskWords ask={ask} />
      </div>
      <button type="button" className="icon-button" aria-label={t('device.own.stopIt', { network: route.Prefix })} title={t('device.own.stop')} disabled={!running} onClick={() => void set(route.Prefix, false)}><Trash2 size={16} strokeWidth={1.9} aria-hidden="true" /></button>
    </li>
  )
}

function OfferNetwork({ running }: { running: boolean }): ReactNode {
  const { ask, set } = useOffer()
  const [text, setText] = useState('')
  const offer = async (event: FormEvent): Promise<void> => {
    event.preventDefault()
    if (await set(text.trim(), true)) setText('')
  }
  return (
    <form className="offer-form" onSubmit={(event) => void offer(event)} noValidate aria-labelledby="offer-networks">
      <input className="field" value={text} onChange={(event) => setText(event.target.value)} aria-label={t('device.own.which')} placeholder="10.0.3.0/24" spellCheck={false} autoComplete="off" maxLength={60} />
      <button type="submit" className="button" disabled={!running || text.trim() === ''} aria-busy={waits(ask)}>{t('device.own.offer')}</button>
      <AskWords ask={ask} />
    </form>
  )
}
