/**
 * Whose turn it is: which thing of the queue is tried next. Bounds on tries of all and of one device, a place that small things never
 * lose to large ones, and devices by turns. Tries that wait for a person's answer take no place from those that move bytes.
 */
import type { MonoMs } from '../../base/env.ts'
import type { SendState, TransferWhy } from './queue-types.ts'

/** Tries that move bytes at once, and those of one device. */
export const MAX_MOVING = 4
export const MAX_OF_DEVICE = 2
/** The same with those that wait for a person's answer. Of one device as many as a courier has connections to it. */
export const MAX_TRIES = 16
export const MAX_TRIES_OF_DEVICE = 8
/** From so many on, who asks at one device only once or twice goes before who asks there often. */
const SCARCE = MAX_TRIES / 2
/** One that is larger, or of unknown size, leaves a place for small ones free: at its device and of all. */
export const SMALL_BYTES = 1_000_000

/** One thing in the queue, as the queue itself keeps it. */
export interface Item {
  readonly id: string
  readonly peer: string
  readonly batch: string
  readonly name: string
  readonly size: number
  state: SendState
  why: TransferWhy | undefined
  isTried: boolean
  isAborted: boolean
  /** What of the try is known: of one that asks, a person decides. */
  step: 'begun' | 'asking' | 'moving'
  failures: number
  notBeforeMs: MonoMs
}

/** What is known of a device that something is to go to. */
export interface Device {
  readonly peer: string
  /** Not over and not paused or stopped, in the order in which they came. */
  readonly open: Map<string, Item>
  tries: number
  isOnline: boolean
  /** It answered the last try, or the one that is under way. */
  isReached: boolean
  /** No way there was found at the last try, which ended at `awayMs`; looked again at `lookAtMs`. */
  isAway: boolean
  awayMs: MonoMs
  lookAtMs: MonoMs
  /** Something made a look worth it while a try was under way. */
  isCalled: boolean
  /** What makes it worth a look. */
  lookWhy: string
  /** Counts up; the device that was served longest ago is next. */
  served: number
}

/** The next thing to try; undefined: none, for now. `tried`: those that are. */
export function nextToTry(tried: ReadonlySet<Item>, devices: Iterable<Device>, nowMs: MonoMs): { readonly item: Item; readonly device: Device } | undefined {
  if (tried.size >= MAX_TRIES) return undefined
  const moving = [...tried].filter(({ step }) => step !== 'asking')
  if (moving.length >= MAX_MOVING) return undefined
  const mayBeLarge = moving.filter((item) => !isSmall(item)).length < MAX_MOVING - 1
  for (const device of [...devices].toSorted((a, b) => a.served - b.served)) {
    const item = nextOf(device, tried, mayBeLarge, nowMs)
    if (item) return { item, device }
  }
  return undefined
}

function nextOf(device: Device, tried: ReadonlySet<Item>, mayBeLarge: boolean, nowMs: MonoMs): Item | undefined {
  if (device.tries >= (tried.size < SCARCE ? MAX_TRIES_OF_DEVICE : MAX_OF_DEVICE) || (device.isAway && (device.tries > 0 || device.lookAtMs > nowMs))) return undefined
  const there = [...tried].filter((item) => item.peer === device.peer)
  const moving = there.filter(({ step }) => step !== 'asking')
  if (moving.length >= MAX_OF_DEVICE) return undefined
  const isLargeFree = mayBeLarge && moving.every(isSmall)
  for (const item of device.open.values()) {
    if (item.isTried || item.notBeforeMs > nowMs) continue
    if (!isSmall(item) && !isLargeFree) continue
    // Who asks a person asks once for all of a batch.
    if (there.some((one) => one.name === item.name || (one.step === 'asking' && one.batch === item.batch))) continue
    return item
  }
  return undefined
}

const isSmall = ({ size }: { readonly size: number }): boolean => size >= 0 && size <= SMALL_BYTES
