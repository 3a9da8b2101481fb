/**
 * Waits until somebody can see the window again.
 */
export function shown(): Promise<void> {
  return new Promise((resolve) => document.addEventListener('visibilitychange', () => resolve(), { once: true }))
}
