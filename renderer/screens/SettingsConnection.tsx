/**
 * How this computer joins, what it reaches through others and what it lets in, and the name it goes by.
 */
import { Copy } from 'lucide-react'
import type { ReactNode } from 'react'
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { ExitNodeFailure } from '../../preload/contract.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { CopyButton } from '../ui/CopyButton.tsx'
import { useLock } from '../ui/PolicyLine.tsx'
import { useExit } from '../ui/use-exit.ts'
import { ForwardList } from './ForwardList.tsx'
import { OwnNetworks } from './OwnNetworks.tsx'
import { ChoiceRow, Row, TextRow } from './SettingsRow.tsx'

export function ProxiesRow(): ReactNode {
  const proxies = useSnapshot((s) => s.proxies)
  const ways = [[t('settings.proxy.socks'), proxies?.Socks5], [t('settings.proxy.http'), proxies?.Http], [t('settings.proxy.pac'), proxies?.PacUrl]] as const
  const there = ways.filter((way): way is readonly [string, string] => way[1] !== undefined && way[1] !== '')
  const words = proxies && there.length === 0 ? t('settings.proxy.none') : t('settings.does.proxies')
  return (
    <Row id="proxies" words={words} below={proxies && (
      <>
        {proxies.Why !== undefined && <p className="small t2 selectable">{safeText(proxies.Why, 300)}</p>}
        <dl className="facts">
          {there.map(([name, address]) => (
            <div key={name}><dt>{name}</dt><dd className="num selectable">{safeText(address, 200)}<CopyButton text={address} className="icon-button"><Copy size={14} strokeWidth={1.9} aria-hidden="true" /></CopyButton></dd></div>
          ))}
        </dl>
      </>
    )} />
  )
}

export function ForwardsRow(): ReactNode {
  const none = useSnapshot((s) => s.forwards?.Forwards.length === 0)
  return <Row id="forwards" words={none ? t('settings.forwards.none') : t('settings.does.forwards')} below={<ForwardList device={undefined} />} />
}

export function NetworksRow(): ReactNode {
  return <div className="setting" data-setting="networks"><OwnNetworks /></div>
}

const FAILURES: readonly ExitNodeFailure[] = ['block', 'next', 'direct']

export function FailureRow(): ReactNode {
  const exit = useExit()
  const lock = useLock('ExitNodeID')
  const failure = useSnapshot((s) => s.exitNodes?.Failure)
  if (failure === undefined) return null
  const choices = FAILURES.map((value) => ({ value, label: t(`settings.failure.${value}`) }))
  return <ChoiceRow id="failure" lock={lock} value={failure} choices={choices} words={t(`settings.failureMeans.${failure}`)} choose={(next, ask) => void ask.run(async () => {
    await exit.setFailure(next as ExitNodeFailure)
    return { ok: true, value: null }
  })} />
}

export function ExitOfferRow(): ReactNode {
  const offer = useSnapshot((s) => s.exitNodes?.Offer)
  const lock = useLock('AdvertiseRoutes')
  if (!offer) return null
  const state = !offer.Advertised ? 'off' : offer.Approved ? 'on' : 'waits'
  return <Row id="exitOffer" words={t(`settings.exitOffer.${state}`)} lock={lock}><a className="button" href="#/exit-nodes">{t('settings.exitOffer.page')}</a></Row>
}

const HOST_NAME_LIMIT = 63

export function HostNameRow(): ReactNode {
  const api = useApi()
  const [name, own] = [useSnapshot((s) => s.prefs?.Hostname), useSnapshot((s) => s.status?.Self.HostName ?? '')]
  const lock = useLock('Hostname')
  if (name === undefined) return null
  return <TextRow id="hostName" value={name} placeholder={safeText(own, 63)} limit={HOST_NAME_LIMIT} lock={lock} keep={(text, ask) => ask.run(() => api.call('editPrefs', { Hostname: text, HostnameSet: true }))} />
}
