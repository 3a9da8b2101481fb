import { expect, test } from 'vitest'
import { NO_TRANSFERS, reduceTransfers, sortRows, type TransferRow } from '../../../main/localapi/transfers.ts'

const row = (ID: string, over: Partial<TransferRow> = {}): TransferRow => ({
  ID, Batch: 'b', Direction: 'out', Peer: 'n1', PeerName: 'desk', Name: `${ID}.txt`, Kind: 'file', Files: 1, Size: 10, Done: 0, State: 'queued', Checked: false, Created: `2026-01-01T00:00:0${ID}Z`, ...over,
})

test('open transfers come first by age, then finished ones, the latest first', () => {
  const rows = [row('1', { State: 'delivered', Finished: '2026-01-01T00:01:00Z' }), row('4'), row('2', { State: 'received', Finished: '2026-01-01T00:02:00Z' }), row('3', { State: 'stopped' })]
  expect(sortRows(rows).map(({ ID }) => ID)).toEqual(['3', '4', '2', '1'])
})

test('news changes what it names and keeps the identity of the rest', () => {
  const whole = reduceTransfers(NO_TRANSFERS, { Whole: { ...NO_TRANSFERS, Rows: [row('1'), row('2')] } })
  const after = reduceTransfers(whole, { Rows: [row('2', { Done: 5 }), row('3')], Gone: ['1'] })
  expect(after.Rows.map(({ ID, Done }) => [ID, Done])).toEqual([['2', 5], ['3', 0]])
  expect(after.Inbox).toBe(whole.Inbox)
  const totals = reduceTransfers(after, { Totals: { ...after.Totals, Moving: 1 } })
  expect(totals.Rows).toBe(after.Rows)
  expect(totals.Totals.Moving).toBe(1)
})
