/**
 * The desktop app's entry: one instance, an engine that is started again when it dies, a window.
 *
 *   --socket=PATH       use the engine that serves there, and start none (BOWLINE_SOCKET does the same)
 *   --hidden            show no window yet: the session started it
 *   --send FILE…        files to send; the window asks where to
 *   bowline://join...   a join link that the person opened
 */
import { app } from 'electron'
import { startApp } from './app/app.ts'
import { filesAmong, listAmong, shortened } from './app/files/send-words.ts'
import { linkAmong } from './app/join-link.ts'
import type { SecondStart } from './app/ways-in.ts'

const words = process.argv.slice(1)
const flag = words.find((arg) => arg.startsWith('--socket='))?.slice('--socket='.length)
const start: SecondStart = { hidden: words.includes('--hidden'), link: linkAmong(words), send: filesAmong(words, process.cwd()), sendList: listAmong(words) }
// One app a person and settings folder.
const userDir = process.env['BOWLINE_USER_DIR']
if (userDir !== undefined) app.setPath('userData', userDir)

/** What macOS hands over by events that may come before the app is ready; the handler that is told in the end gets all of it. */
function waiting(event: 'open-url' | 'open-file'): (handle: (text: string) => void) => void {
  const early: string[] = []
  let handle: (text: string) => void = (text) => early.push(text)
  app.on(event as 'open-url', (event, text) => {
    event.preventDefault()
    handle(text)
  })
  return (later) => {
    handle = later
    for (const text of early.splice(0)) later(text)
  }
}

function run(): void {
  const [onLink, onFile] = [waiting('open-url'), waiting('open-file')]
  const short = shortened(words, process.cwd())
  if (short) {
    app.relaunch({ args: [...short] })
    return app.exit()
  }
  if (!app.requestSingleInstanceLock({ ...start })) return app.quit()
  startApp({ socketPath: flag ?? process.env['BOWLINE_SOCKET'], onLink, onFile, ...start }).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    app.exit(1)
  })
}

run()
