/**
 * The bridge in Electron: five functions, no more. Neither ipcRenderer nor its events reach the page.
 */
import { contextBridge, ipcRenderer, webUtils } from 'electron'
import type { AppState, BowlineApi, Notify, WindowCommand } from './contract.ts'

/** Follows one channel; `ask` makes the host send what it has at once. */
function follow<T>(channel: 'notify' | 'app' | 'command', handle: (value: T) => void): () => void {
  const listener = (_event: unknown, value: T): void => handle(value)
  ipcRenderer.on(`bowline:${channel}`, listener)
  void ipcRenderer.invoke('bowline:follow', channel)
  return () => ipcRenderer.off(`bowline:${channel}`, listener)
}

const api: BowlineApi = {
  // Where a file lies is read here, in a world of its own, and told to the app alone. A file that a page made itself lies nowhere: "". What is no
  // array could have a page's own `map`, which would say what it likes.
  offer: async (files) => {
    if (!Array.isArray(files)) throw new TypeError('files are an array')
    return ipcRenderer.invoke('bowline:offer', Array.from(files as readonly File[], (file) => webUtils.getPathForFile(file)))
  },
  call: (name, send) => ipcRenderer.invoke('bowline:call', name, send),
  onNotify: (handle) => follow<Notify>('notify', handle),
  onAppState: (handle) => follow<AppState>('app', handle),
  onCommand: (handle) => follow<WindowCommand>('command', handle),
}

contextBridge.exposeInMainWorld('bowline', api)
