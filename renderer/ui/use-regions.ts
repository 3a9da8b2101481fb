/**
 * F6 goes to the next region of the window, Shift F6 to the one before: account and connection, places, list, page, foot.
 */
import { useEffect } from 'react'

const REGIONS = '[data-region], .device-list, .device-page, .place .foot'
const REACHED = 'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), summary, [tabindex="0"]'

const isSeen = (element: Element): boolean => element.getClientRects().length > 0

/** Regions in their order; one that only holds others is none itself. */
function regionsNow(): HTMLElement[] {
  const all = [...document.querySelectorAll<HTMLElement>(REGIONS)].filter(isSeen)
  return all.filter((region) => !(region.matches('main') && all.some((other) => other !== region && region.contains(other))))
}

/** What of a region takes the focus: its own, not that of a region within; of a list the row that has the tab stop. */
function entryOf(region: HTMLElement, regions: readonly HTMLElement[]): HTMLElement | undefined {
  const inner = regions.filter((other) => other !== region && region.contains(other))
  const own = [...region.querySelectorAll<HTMLElement>(REACHED)].filter((element) => isSeen(element) && element.tabIndex >= 0 && !inner.some((other) => other.contains(element)))
  return own.find((element) => element.getAttribute('role') === 'row') ?? own.find((element) => element.getAttribute('aria-current') === 'page') ?? own[0]
}

/** The place of the innermost region around what has the focus; -1 outside of all. */
function regionOf(regions: readonly HTMLElement[]): number {
  const around = regions.filter((region) => region.contains(document.activeElement))
  const innermost = around.find((region) => !around.some((other) => other !== region && region.contains(other)))
  return innermost ? regions.indexOf(innermost) : -1
}

export function moveRegion(by: 1 | -1): void {
  const regions = regionsNow()
  const from = regionOf(regions)
  for (let step = 1; step <= regions.length; step++) {
    const at = (((from === -1 && by === -1 ? 0 : from) + by * step) % regions.length + regions.length) % regions.length
    const entry = entryOf(regions[at]!, regions)
    if (!entry) continue
    entry.focus()
    return
  }
}

export function useRegionKeys(): void {
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.key !== 'F6' || event.ctrlKey || event.altKey || event.metaKey || document.querySelector('dialog[open]')) return
      event.preventDefault()
      moveRegion(event.shiftKey ? -1 : 1)
    }
    window.addEventListener('keydown', press)
    return () => window.removeEventListener('keydown', press)
  }, [])
}
