/**
 * Where the person is, kept in the address (`#/devices/n123`), so that reload and links land in the same place.
 */
import { useSyncExternalStore } from 'react'

export type Route = { readonly place: 'devices'; readonly device: string | undefined }

/** The route of an address hash; anything unknown is the device list. */
export function parseRoute(hash: string): Route {
  const match = /^#\/devices\/([^/]+)$/.exec(hash)
  if (!match) return { place: 'devices', device: undefined }
  try {
    return { place: 'devices', device: decodeURIComponent(match[1]!) }
  } catch {
    return { place: 'devices', device: undefined }
  }
}

export function routeHash(device: string | undefined): string {
  return device === undefined ? '#/devices' : `#/devices/${encodeURIComponent(device)}`
}

export function goTo(device: string | undefined): void {
  window.location.hash = routeHash(device)
}

function subscribe(changed: () => void): () => void {
  window.addEventListener('hashchange', changed)
  return () => window.removeEventListener('hashchange', changed)
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => window.location.hash)
  return parseRoute(hash)
}
