/**
 * The small window at the tray.
 */
import type { ReactNode } from 'react'

export function Small(): ReactNode {
  return <main className="small-window"><h1>Bowline</h1></main>
}
