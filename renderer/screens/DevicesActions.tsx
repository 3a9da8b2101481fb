/**
 * What can be done with devices of the list, from a row, a menu, a key or for many at once; and the menu and dialogs that it opens.
 */
import { useEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import type { AccountView } from '../../preload/contract.ts'
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { goToPing } from '../state/device-wish.ts'
import type { Device } from '../state/devices.ts'
import { csvOf } from '../state/devices-csv.ts'
import { editView, useAccountView } from '../state/devices-live.ts'
import { select, useList } from '../state/devices-session.ts'
import { marked, nicknameOf } from '../state/devices-view.ts'
import { goTo } from '../state/route.ts'
import { chooseToSend } from '../state/sending.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { say as sayBelow } from '../ui/toast.ts'
import { DevicesMenu } from './DevicesMenu.tsx'
import { DevicesNickname } from './DevicesNickname.tsx'

const SAID_MS = 2500

export interface DeviceActions {
  /** What was just done, or why not; '' after a while. */
  readonly said: string
  /** Menu and dialogs, drawn above everything else. */
  readonly overlay: ReactNode
  open(id: string): void
  /** Opens its page and pings it there. */
  ping(id: string): void
  /** Asks for files and sends them. */
  send(id: string): void
  copyAddresses(ids: readonly string[]): void
  copyText(text: string): void
  exportCsv(ids: readonly string[]): void
  mark(list: 'pinned' | 'hidden', ids: readonly string[], on: boolean): void
  edit(change: (view: AccountView) => AccountView): Promise<boolean>
  rename(id: string): void
  /** The menu of a row, or of all that are selected when it is one of them, at a place in the window. */
  menu(id: string, x: number, y: number): void
}

/** The selected devices where the row is one of them, else it alone. */
export function meantBy(id: string): readonly string[] {
  const { selected } = useList.getState()
  return selected.has(id) ? [...selected] : [id]
}

export function useDeviceActions(all: readonly Device[]): DeviceActions {
  const api = useApi()
  const view = useAccountView()
  const [said, say] = useSaid()
  const [menu, setMenu] = useState<{ readonly ids: readonly string[]; readonly x: number; readonly y: number }>()
  const [renamed, setRenamed] = useState<string>()
  const now = useRef({ all, view })
  now.current = { all, view }
  const acts = useMemo(() => {
    const devices = (ids: readonly string[]): readonly Device[] => {
      const wanted = new Set(ids)
      return now.current.all.filter((device) => wanted.has(device.id))
    }
    const edit = async (change: (view: AccountView) => AccountView): Promise<boolean> => {
      const answer = await editView(api, change)
      if (!answer.ok) say(safeText(answer.message, 200))
      return answer.ok
    }
    const copyText = (text: string): void => {
      void navigator.clipboard.writeText(text).then(() => say(t('devices.copied', { what: safeText(text, 60) })))
    }
    return {
      open: (id: string) => goTo(id),
      ping: goToPing,
      send: (id: string) => void chooseToSend(api, false, id, sayBelow),
      copyText,
      copyAddresses: (ids: readonly string[]) => {
        const addresses = devices(ids).map((device) => device.address)
        if (addresses.length === 1) return copyText(addresses[0]!)
        void navigator.clipboard.writeText(addresses.join('\n')).then(() => say(t('devices.copied.many', { n: addresses.length })))
      },
      exportCsv: (ids: readonly string[]) => save(`${t('devices.csv.file')}.csv`, csvOf(devices(ids), (id) => nicknameOf(now.current.view, id))),
      mark: (list: 'pinned' | 'hidden', ids: readonly string[], on: boolean) => {
        void edit((before) => marked(before, list, ids, on)).then((done) => {
          if (done && list === 'hidden' && on) select([...useList.getState().selected].filter((id) => !ids.includes(id)))
        })
      },
      edit,
      rename: setRenamed,
      menu: (id: string, x: number, y: number) => setMenu({ ids: meantBy(id), x, y }),
    }
  }, [api, say])
  const byId = (id: string): Device | undefined => all.find((device) => device.id === id)
  const meant = menu?.ids.flatMap((id) => byId(id) ?? []) ?? []
  const named = renamed === undefined ? undefined : byId(renamed)
  return {
    ...acts,
    said,
    overlay: (
      <>
        {menu && meant.length > 0 && <DevicesMenu devices={meant} x={menu.x} y={menu.y} view={view} actions={acts} onClose={() => setMenu(undefined)} />}
        {named && <DevicesNickname key={named.id} device={named} nickname={nicknameOf(view, named.id)} edit={acts.edit} onClose={() => setRenamed(undefined)} />}
      </>
    ),
  }
}

/** A sentence that goes by itself. */
function useSaid(): readonly [string, (words: string) => void] {
  const [said, setSaid] = useState({ words: '' })
  useEffect(() => {
    if (said.words === '') return undefined
    const timer = setTimeout(() => setSaid({ words: '' }), SAID_MS)
    return () => clearTimeout(timer)
  }, [said])
  const say = useMemo(() => (words: string): void => setSaid({ words }), [])
  return [said.words, say]
}

/** Gives the person a file to keep. */
function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
