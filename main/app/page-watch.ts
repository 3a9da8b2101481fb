/**
 * A window whose page crashed or hangs: loaded anew, or offered to be. The engine is another process and goes on in any case.
 *
 *   crash   loaded anew at once; the third within a minute is asked about, so that nothing flickers without end
 *   hang    said when the system notices that input gets no answer; ended and loaded anew when the person wants, or when nobody looks
 */
import { dialog, type BrowserWindow } from 'electron'
import { t } from '../words/words.ts'

const MEMORY_MS = 60_000
const TOO_OFTEN = 3

/** What to do about one more crash, with the times of the last ones. Pure. */
export function afterCrash(crashesMs: readonly number[], nowMs: number): { readonly crashesMs: readonly number[]; readonly step: 'reload' | 'ask' } {
  const recent = [...crashesMs.filter((atMs) => nowMs - atMs < MEMORY_MS), nowMs]
  return { crashesMs: recent, step: recent.length >= TOO_OFTEN ? 'ask' : 'reload' }
}

export function watchPage(window: BrowserWindow, quit: () => void): void {
  const contents = window.webContents
  let crashesMs: readonly number[] = []
  let asking: AbortController | undefined

  contents.on('render-process-gone', (_event, { reason }) => {
    if (reason === 'clean-exit') return
    asking?.abort()
    const after = afterCrash(crashesMs, Date.now())
    crashesMs = after.crashesMs
    console.error(`error: the window's page ended (${reason})`)
    const reload = (): void => {
      if (!contents.isDestroyed()) contents.reload()
    }
    // Not within the event that tells of the end.
    if (after.step === 'reload') return void setImmediate(reload)
    void ask(window, t('shell.window.crashed'), t('shell.window.crashed.more'), [t('shell.window.reload'), t('shell.quit')]).then((answer) => {
      crashesMs = []
      if (answer === 0) reload()
      else if (answer === 1) quit()
    })
  })

  window.on('unresponsive', () => {
    if (!window.isVisible()) return contents.forcefullyCrashRenderer()
    asking?.abort()
    asking = new AbortController()
    void ask(window, t('shell.window.hung'), t('shell.window.hung.more'), [t('shell.window.wait'), t('shell.window.reload')], asking.signal).then((answer) => {
      // Its end is a crash like any other, and loads it anew.
      if (answer === 1 && !contents.isDestroyed()) contents.forcefullyCrashRenderer()
    })
  })
  window.on('responsive', () => asking?.abort())
  window.on('closed', () => asking?.abort())
}

/** Which button was pressed; the first one when the question was taken back. */
async function ask(window: BrowserWindow, message: string, detail: string, buttons: string[], signal?: AbortSignal): Promise<number | undefined> {
  const { response } = await dialog.showMessageBox(window, { type: 'warning', title: 'Bowline', message, detail, buttons, defaultId: 0, cancelId: 0, noLink: true, ...(signal ? { signal } : {}) })
  return signal?.aborted === true ? undefined : response
}
