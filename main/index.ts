/**
 * The desktop app's entry: one instance, an engine that is started again when it dies, a window.
 *
 *   --socket=PATH       use the engine that serves there, and start none (BOWLINE_SOCKET does the same)
 *   --hidden            show no window yet: the session started it
 *   bowline://join...   a join link that the person opened
 */
import { app } from 'electron'
import { startApp } from './app/app.ts'
import { linkAmong } from './app/join-link.ts'
import type { SecondStart } from './app/ways-in.ts'

const flag = process.argv.find((arg) => arg.startsWith('--socket='))?.slice('--socket='.length)
const hidden = process.argv.includes('--hidden')
const link = linkAmong(process.argv.slice(1))
// One app a person and settings folder.
const userDir = process.env['BOWLINE_USER_DIR']
if (userDir !== undefined) app.setPath('userData', userDir)

// macOS hands links over by an event that may come before the app is ready.
let handle: (text: string) => void = (text) => early.push(text)
const early: string[] = []
app.on('open-url', (event, url) => {
  event.preventDefault()
  handle(url)
})

if (app.requestSingleInstanceLock({ hidden, link } satisfies SecondStart as unknown as Record<string, unknown>)) {
  const onLink = (later: (text: string) => void): void => {
    handle = later
    for (const text of early.splice(0)) later(text)
  }
  startApp({ socketPath: flag ?? process.env['BOWLINE_SOCKET'], hidden, link, onLink }).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    app.exit(1)
  })
} else {
  app.quit()
}
