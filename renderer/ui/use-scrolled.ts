/**
 * Looks at a box whenever it was scrolled or has another size, and at once.
 */
import { useLayoutEffect } from 'react'
import { flushSync } from 'react-dom'

/** What `look` sets is drawn before the frame that shows the new place. Begins anew with another `step`, on which `look` may depend. */
export function useScrolled(scroller: { readonly current: HTMLElement | null }, look: (element: HTMLElement) => void, step: number): void {
  useLayoutEffect(() => {
    const element = scroller.current
    if (!element) return undefined
    const looked = (): void => look(element)
    const scrolled = (): void => flushSync(looked)
    const observer = new ResizeObserver(looked)
    observer.observe(element)
    element.addEventListener('scroll', scrolled, { passive: true })
    looked()
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', scrolled)
    }
    // `look` only sets, and is another with each drawing.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, [scroller, step])
}
