/**
 * Transfers as components follow them.
 */
import { useMemo } from 'react'
import { NO_TRANSFERS } from '../../main/localapi/transfers.ts'
import { EntryTable, type Entry } from './transfers.ts'
import { useSnapshot } from './store.ts'

const table = new EntryTable()

export function useEntries(): readonly Entry[] {
  const page = useSnapshot((s) => s.transfers)
  return useMemo(() => table.look(page ?? NO_TRANSFERS), [page])
}

/** When today began, in ms. */
export function useMidnight(): number {
  return useSnapshot((s) => new Date(s.nowMs).setHours(0, 0, 0, 0))
}
