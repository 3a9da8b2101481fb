/**
 * What the page of a device is to begin with: asked by a key or a menu of the list, taken once by the page when it is there.
 */
import { create } from 'zustand'
import { goTo } from './route.ts'

/** The device to ping; undefined = nobody asked. */
export const useWish = create<{ readonly ping: string | undefined }>(() => ({ ping: undefined }))

/** Opens the page of a device and pings it there. */
export function goToPing(id: string): void {
  useWish.setState({ ping: id })
  goTo(id, 'path')
}
