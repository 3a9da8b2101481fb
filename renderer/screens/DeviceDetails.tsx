/**
 * What is known of a device, each fact to copy: addresses, names, owner, versions, times, bytes with their rates.
 */
import { Copy } from 'lucide-react'
import { useEffect, useRef, useState, type ReactNode } from 'react'
import type { PathPage } from '../../preload/contract.ts'
import { ageOf, ago, byteCount, safeText } from '../../main/words/format.ts'
import { locale, t, type WordId } from '../../main/words/words.ts'
import type { Device } from '../state/devices.ts'
import { useSnapshot } from '../state/store.ts'
import { CopyButton } from '../ui/CopyButton.tsx'

/** Under this nothing to speak of flows. */
const LEAST_RATE = 1
/** Looks closer together than this make no rate. */
const LEAST_STEP_MS = 900

interface FactLine {
  readonly label: WordId
  /** Each line of it; [] = there is none. */
  readonly values: readonly string[]
  /** What stands there when there is none. */
  readonly none?: WordId
}

export function DeviceDetails({ device, page, nowMs }: { device: Device; page: PathPage | undefined; nowMs: number }): ReactNode {
  const { peer } = device
  const sent = useRate(peer.TxBytes)
  const received = useRate(peer.RxBytes)
  const lines = [...identity(device, page), ...times(device, nowMs), ...(device.isSelf ? ownWays(device) : ways(device, page, sent, received)), ...keys(device)]
  return (
    <section className="details" aria-label={t('device.details')}>
      <dl className="facts">{lines.map((line) => <Line key={line.label} line={line} />)}</dl>
    </section>
  )
}

function Line({ line: { label, values, none } }: { line: FactLine }): ReactNode {
  return (
    <div>
      <dt>{t(label)}</dt>
      <dd className="num selectable">
        {values.length === 0 ? <span className="t3">{t(none ?? 'device.value.unknown')}</span> : values.map((value) => (
          <span key={value} className="fact-line"><bdi>{value}</bdi><CopyButton text={value} className="icon-button"><Copy size={14} strokeWidth={1.9} aria-hidden="true" /></CopyButton></span>
        ))}
      </dd>
    </div>
  )
}

const some = (...texts: readonly (string | undefined)[]): readonly string[] => texts.filter((text) => text !== undefined && text !== '').map((text) => safeText(text!, 200))

function identity({ peer, owner, tagged, isSelf }: Device, page: PathPage | undefined): readonly FactLine[] {
  return [
    { label: 'device.fact.addresses', values: some(...(peer.TailscaleIPs ?? [])) },
    { label: 'device.fact.name', values: some(peer.DNSName.replace(/\.$/, '')), none: 'device.value.none' },
    { label: 'device.fact.host', values: some(peer.HostName) },
    ...(tagged ? [{ label: 'device.fact.tags', values: some(...(peer.Tags ?? [])) } as const] : [{ label: 'device.fact.owner', values: some(owner) } as const]),
    { label: 'device.fact.system', values: some(peer.OS) },
    ...(isSelf ? [] : [{ label: 'device.fact.version', values: some(page?.other.version) } as const]),
  ]
}

function times({ peer, isSelf }: Device, nowMs: number): readonly FactLine[] {
  const ended = peer.KeyExpiry !== undefined && Date.parse(peer.KeyExpiry) < nowMs
  const expiry = dateOf(peer.KeyExpiry)
  const handshake = ageOf(peer.LastHandshake, nowMs)
  return [
    { label: 'device.fact.expiry', values: some(expiry !== undefined && ended ? t('device.value.ended', { when: expiry }) : expiry), none: 'device.value.never' },
    { label: 'device.fact.created', values: some(dateOf(peer.Created)) },
    ...(isSelf ? [] : [
      { label: 'device.fact.server', values: some(t(peer.Online ? 'device.value.online' : 'device.value.offline')) } as const,
      ...(peer.Online ? [] : [{ label: 'device.fact.seen', values: some(dateOf(peer.LastSeen)) } as const]),
      { label: 'device.fact.handshake', values: some(handshake === undefined ? '' : ago(handshake)), none: 'device.value.noneYet' } as const,
    ]),
  ]
}

function ways({ peer, path, row }: Device, page: PathPage | undefined, sent: number, received: number): readonly FactLine[] {
  const count = (total: number, rate: number): string => (rate < LEAST_RATE ? byteCount(total) : t('device.value.rate', { total: byteCount(total), rate: byteCount(rate) }))
  const direct = peer.CurAddr || (path.kind === 'direct' ? (row?.addr ?? '') : '')
  return [
    { label: 'device.fact.sent', values: some(count(peer.TxBytes, sent)) },
    { label: 'device.fact.received', values: some(count(peer.RxBytes, received)) },
    { label: 'device.fact.direct', values: some(direct), none: 'device.value.noneInUse' },
    { label: 'device.fact.endpoints', values: some(...(page?.candidates.map(({ addr }) => addr) ?? [])), none: 'device.value.noneYet' },
    ...relayAndServices(peer),
    { label: 'device.fact.routes', values: some(...(peer.PrimaryRoutes ?? [])), none: 'device.value.none' },
  ]
}

const ownWays = ({ peer }: Device): readonly FactLine[] => [
  { label: 'device.fact.ownEndpoints', values: some(...(peer.Addrs ?? [])), none: 'device.value.noneYet' },
  ...relayAndServices(peer),
]

const relayAndServices = (peer: Device['peer']): readonly FactLine[] => [
  { label: 'device.fact.relay', values: some(peer.Relay), none: 'device.value.noneReported' },
  { label: 'device.fact.peerApi', values: some(...(peer.PeerAPIURL ?? [])), none: 'device.value.none' },
]

const keys = ({ peer }: Device): readonly FactLine[] => [
  { label: 'device.fact.id', values: some(peer.ID) },
  { label: 'device.fact.key', values: some(peer.PublicKey) },
]

/** A time as people read it; undefined for none. */
function dateOf(rfc3339: string | undefined): string | undefined {
  if (rfc3339 === undefined || rfc3339.startsWith('0001-01-01') || Number.isNaN(Date.parse(rfc3339))) return undefined
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'short' }).format(Date.parse(rfc3339))
}

/** Bytes a second between the last two looks at the status; 0 while nothing flows. */
function useRate(total: number): number {
  const status = useSnapshot((s) => s.status)
  const last = useRef<{ readonly total: number; readonly atMs: number }>(undefined)
  const [rate, setRate] = useState(0)
  useEffect(() => {
    const [before, atMs] = [last.current, Date.now()]
    if (before && atMs - before.atMs < LEAST_STEP_MS) return
    last.current = { total, atMs }
    if (before) setRate(Math.max(0, ((total - before.total) * 1000) / (atMs - before.atMs)))
  }, [total, status])
  return rate
}
