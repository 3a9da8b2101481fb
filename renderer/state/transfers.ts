/**
 * Files on their way, as the window counts them. Pure.
 */
import { isOver, type TransfersPage } from '../../main/localapi/transfers.ts'

const counts = new WeakMap<TransfersPage, number>()

/** What still has an end before it: asks, and batches that move or wait. A stopped one is over until somebody tries again. Counted once for a page. */
export function openCount(page: TransfersPage | undefined): number {
  if (!page) return 0
  const known = counts.get(page)
  if (known !== undefined) return known
  const batches = new Set(page.Asks.map((ask) => ask.Batch))
  for (const row of page.Rows) if (!isOver(row) && row.State !== 'stopped') batches.add(row.Batch)
  counts.set(page, batches.size)
  return batches.size
}
