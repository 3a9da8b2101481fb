/**
 * The order of the list, held still while somebody's pointer or focus is in it and it hangs on values that change by themselves.
 */
import { useMemo, useRef, useState } from 'react'
import type { Device } from '../state/devices.ts'
import { LIVE } from '../state/devices-columns.ts'
import { held, sorted } from '../state/devices-order.ts'
import { useList } from '../state/devices-session.ts'

export interface Order {
  readonly devices: readonly Device[]
  /** It is no longer the one that was asked for. */
  readonly isStale: boolean
  /** Somebody came into the list, or left it. */
  readonly setHeld: (isHeld: boolean) => void
  readonly sortAgain: () => void
}

export function useOrder(devices: readonly Device[]): Order {
  const sort = useList((s) => s.sort)
  const [isHeld, setHeld] = useState(false)
  const [round, setRound] = useState(0)
  const last = useRef({ sort, round, ids: [] as readonly string[] })
  const order = useMemo(() => {
    const wanted = sorted(devices, sort)
    const before = last.current
    const holds = isHeld && LIVE.has(sort.column) && before.sort === sort && before.round === round && before.ids.length > 0
    const result = holds ? held(before.ids, wanted) : { devices: wanted, isStale: false }
    last.current = { sort, round, ids: LIVE.has(sort.column) ? result.devices.map((device) => device.id) : [] }
    return result
  }, [devices, sort, isHeld, round])
  return useMemo(() => ({ ...order, setHeld, sortAgain: () => setRound((n) => n + 1) }), [order])
}
