/**
 * A window whose page crashed or hangs: loaded anew, or offered to be. The engine is another process and goes on in any case.
 *
 *   crash   loaded anew at once; the third within a minute is asked about, so that nothing flickers without end
 *   hang    noticed by a question to the page every few seconds while the person sees it, since Electron's own event comes late and only
 *           with input; ended and loaded anew when the person wants that
 */
import { dialog, type BrowserWindow } from 'electron'
import { t } from '../words/words.ts'

const MEMORY_MS = 60_000
const TOO_OFTEN = 3
const LOOK_MS = 2000
const HANG_LOOKS = 4

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

  watchAnswers(window, (hangs) => {
    asking?.abort()
    if (!hangs) return
    asking = new AbortController()
    void ask(window, t('shell.window.hung'), t('shell.window.hung.more'), [t('shell.window.wait'), t('shell.window.reload')], asking.signal).then((answer) => {
      // Its end is a crash like any other, and loads it anew.
      if (answer === 1 && !contents.isDestroyed()) contents.forcefullyCrashRenderer()
    })
  })
  window.on('closed', () => asking?.abort())
}

/** Asks the page again and again while it can be seen, and tells when it begins to owe an answer and when it gives it after all. */
function watchAnswers(window: BrowserWindow, onHang: (hangs: boolean) => void): void {
  const contents = window.webContents
  // Looks without an answer, in place of a time: a machine that slept has not looked.
  let owed = 0
  let hangs = false
  const settle = (): void => {
    owed = 0
    if (hangs) onHang(false)
    hangs = false
  }
  const look = (): void => {
    if (!window.isVisible() || window.isMinimized() || contents.isLoading() || contents.isCrashed()) return settle()
    owed++
    if (owed === 1) contents.executeJavaScript('0').then(settle, settle)
    else if (!hangs && owed > HANG_LOOKS) {
      hangs = true
      onHang(true)
    }
  }
  const timer = setInterval(look, LOOK_MS)
  contents.on('render-process-gone', settle)
  window.on('closed', () => clearInterval(timer))
}

/** Which button was pressed; the first one when the question was taken back. */
async function ask(window: BrowserWindow, message: string, detail: string, buttons: string[], signal?: AbortSignal): Promise<number | undefined> {
  const { response } = await dialog.showMessageBox(window, { type: 'warning', title: 'Bowline', message, detail, buttons, defaultId: 0, cancelId: 0, noLink: true, ...(signal ? { signal } : {}) })
  return signal?.aborted === true ? undefined : response
}
