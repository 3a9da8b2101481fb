/**
 * The desktop app's entry: one instance, one window, an engine that is started again when it dies.
 *
 *   --socket=PATH   use the engine that serves there, and start none (BOWLINE_SOCKET does the same)
 */
import { app } from 'electron'
import { startApp } from './app/app.ts'

const flag = process.argv.find((arg) => arg.startsWith('--socket='))?.slice('--socket='.length)

if (app.requestSingleInstanceLock()) {
  startApp({ socketPath: flag ?? process.env['BOWLINE_SOCKET'], userDir: process.env['BOWLINE_USER_DIR'] }).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    app.exit(1)
  })
} else {
  app.quit()
}
