/**
 * Where the person is, kept in the address (`#/devices/n123`, `#/exit-nodes`), so that reload and links land in the same place.
 */
import { useSyncExternalStore } from 'react'

export type Route = { readonly place: 'devices'; readonly device: string | undefined } | { readonly place: 'exit-nodes' }

export type Place = Route['place']

const HOME: Route = { place: 'devices', device: undefined }

/** The route of an address hash; anything unknown is the device list. */
export function parseRoute(hash: string): Route {
  if (hash === '#/exit-nodes') return { place: 'exit-nodes' }
  const match = /^#\/devices\/([^/]+)$/.exec(hash)
  if (!match) return HOME
  try {
    return { place: 'devices', device: decodeURIComponent(match[1]!) }
  } catch {
    return HOME
  }
}

export function routeHash(device: string | undefined): string {
  return device === undefined ? '#/devices' : `#/devices/${encodeURIComponent(device)}`
}

export function goTo(device: string | undefined): void {
  window.location.hash = routeHash(device)
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
