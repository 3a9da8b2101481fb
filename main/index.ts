/**
 * The desktop app's entry: one instance, an engine that is started again when it dies, a window.
 *
 *   --socket=PATH   use the engine that serves there, and start none (BOWLINE_SOCKET does the same)
 *   --hidden        show no window yet: the session started it
 */
import { app } from 'electron'
import { startApp, type SecondStart } from './app/app.ts'

const flag = process.argv.find((arg) => arg.startsWith('--socket='))?.slice('--socket='.length)
const hidden = process.argv.includes('--hidden')
// One app a person and settings folder.
const userDir = process.env['BOWLINE_USER_DIR']
if (userDir !== undefined) app.setPath('userData', userDir)

if (app.requestSingleInstanceLock({ hidden } satisfies SecondStart as unknown as Record<string, unknown>)) {
  startApp({ socketPath: flag ?? process.env['BOWLINE_SOCKET'], hidden }).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    app.exit(1)
  })
} else {
  app.quit()
}
