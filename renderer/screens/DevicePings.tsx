/**
 * Pings of every layer side by side: reply, round trip and way, or why there is none, and what that means together.
 */
import type { ReactNode } from 'react'
import { roundTrip } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { PingType } from '../../preload/contract.ts'
import { failure, LAYERS, meaning, tallyKey, wayOf, type Family, type Tally } from '../state/layers.ts'
import { TableBox } from '../ui/TableBox.tsx'
import type { Probe } from '../ui/use-probe.ts'

export function DevicePings({ probe: { tallies } }: { probe: Probe }): ReactNode {
  if (Object.keys(tallies).length === 0) return null
  const families = (['IPv4', 'IPv6'] as const).filter((family) => LAYERS.some((type) => tallies[tallyKey(type, family)] !== undefined))
  const means = meaning(tallies)
  return (
    <section className="block pings" aria-label={t('device.layers')}>
      <TableBox name={t('device.layers.layer')}>
        <table className="layers">
          <thead>
            <tr>
              <th scope="col">{t('device.layers.layer')}</th>
              {families.map((family) => <th key={family} scope="col" className="right"><span className="sr-only">{t('device.layers.reply', { family })}</span><span aria-hidden="true">{family}</span></th>)}
              <th scope="col">{t('device.layers.way')}</th>
            </tr>
          </thead>
          <tbody>{LAYERS.map((type) => <Row key={type} type={type} families={families} tallies={tallies} />)}</tbody>
        </table>
      </TableBox>
      <p className="small t2" role="status">{means === undefined ? '' : t(means)}</p>
    </section>
  )
}

function Row({ type, families, tallies }: { type: PingType; families: readonly Family[]; tallies: Probe['tallies'] }): ReactNode {
  const of = (family: Family): Tally | undefined => tallies[tallyKey(type, family)]
  const last = families.map(of).findLast((one) => one?.last?.Err === '')?.last
  return (
    <tr>
      <th scope="row"><span>{t(`device.layers.${type}`)}</span> <span className="t3 small">{t(`device.layers.${type}.asks`)}</span></th>
      {families.map((family) => <td key={family} className="num right reply"><Reply tally={of(family)} /></td>)}
      <td className="selectable num way">{last === undefined ? '' : type === 'disco' ? wayOf(last) : t('device.layers.inTunnel')}</td>
    </tr>
  )
}

function Reply({ tally }: { tally: Tally | undefined }): ReactNode {
  if (tally === undefined) return <span className="t3">–</span>
  const { last, asked, replies } = tally
  if (last === undefined) return <span className="t3">{t('device.layers.asking')}</span>
  return (
    <>
      <span className={last.Err === '' ? '' : 'warn-text'}>{last.Err === '' ? roundTrip(last.LatencySeconds * 1000) : failure(last)}</span>
      <span className="t3 small times">{t('device.layers.count', { replies, asked })}</span>
    </>
  )
}
