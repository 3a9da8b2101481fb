/**
 * Where the person is, kept in the address, so that reload and links land in the same place:
 *
 *   #/devices   #/devices/ID   #/devices/ID/TAB   #/exit-nodes   #/transfers   #/diagnose   #/settings   #/settings/PAGE   #/small (the tray's window)
 */
import { useSyncExternalStore } from 'react'

export const TABS = ['path', 'details', 'access'] as const
export type Tab = (typeof TABS)[number]

export type Route =
  | { readonly place: 'devices'; readonly device: string | undefined; readonly tab: Tab }
  | { readonly place: 'exit-nodes' }
  | { readonly place: 'transfers' }
  | { readonly place: 'diagnose' }
  /** `page` is any word: the settings know their pages themselves. */
  | { readonly place: 'settings'; readonly page: string }
  | { readonly place: 'small' }

export type Place = Route['place']

const HOME: Route = { place: 'devices', device: undefined, tab: 'path' }

/** The route of an address hash; anything unknown is the device list. */
export function parseRoute(hash: string): Route {
  const [start, place, first, second, ...more] = hash.split('/')
  if (start !== '#' || more.length > 0) return HOME
  if (place === 'settings' && second === undefined) return { place, page: /^[a-z-]{1,30}$/.test(first ?? '') ? first! : '' }
  if ((place === 'exit-nodes' || place === 'transfers' || place === 'diagnose' || place === 'small') && first === undefined) return { place }
  return place === 'devices' ? deviceRoute(first, second) : HOME
}

function deviceRoute(id: string | undefined, tab: string | undefined): Route {
  const wanted = TABS.find((one) => one === tab) ?? 'path'
  if (id === undefined || id === '') return HOME
  try {
    return { place: 'devices', device: decodeURIComponent(id), tab: wanted }
  } catch {
    return HOME
  }
}

export function routeHash(device: string | undefined, tab: Tab = 'path'): string {
  if (device === undefined) return '#/devices'
  return `#/devices/${encodeURIComponent(device)}${tab === 'path' ? '' : `/${tab}`}`
}

export function goTo(device: string | undefined, tab?: Tab): void {
  window.location.hash = routeHash(device, tab)
}

export function goToPlace(place: Place): void {
  window.location.hash = `#/${place}`
}

function subscribe(changed: () => void): () => void {
  window.addEventListener('hashchange', changed)
  return () => window.removeEventListener('hashchange', changed)
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash)
  return parseRoute(hash)
}
