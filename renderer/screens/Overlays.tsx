/**
 * What can stand above every place, and the keys and commands of the host that hold everywhere: places, palette, keyboard table, regions.
 */
import { useEffect, useState, type ReactNode } from 'react'
import { goTo, goToPlace } from '../state/route.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { useKeys } from '../ui/keys.ts'
import { ToastLine } from '../ui/ToastLine.tsx'
import { useRegionKeys } from '../ui/use-regions.ts'
import { KeyboardTable } from './KeyboardTable.tsx'
import { Palette } from './Palette.tsx'

export function Overlays(): ReactNode {
  const api = useApi()
  const [open, setOpen] = useState<'palette' | 'keyboard'>()
  useRegionKeys()
  useKeys({
    'Mod+K': () => setOpen('palette'),
    'Mod+1': () => goTo(undefined),
    'Mod+2': () => goToPlace('exit-nodes'),
    'Mod+E': () => goToPlace('exit-nodes'),
    'Mod+3': () => goToPlace('transfers'),
    'Mod+4': () => goToPlace('diagnose'),
    'Mod+,': () => goToPlace('settings'),
    '?': () => setOpen('keyboard'),
  })
  useEffect(() => api.onCommand((command) => {
    if (command.kind === 'palette') setOpen('palette')
  }), [api])
  return (
    <>
      {open === 'palette' && <Palette onClose={() => setOpen((now) => (now === 'palette' ? undefined : now))} onKeyboard={() => setOpen('keyboard')} />}
      {open === 'keyboard' && <KeyboardTable onClose={() => setOpen(undefined)} />}
      <ToastLine />
    </>
  )
}
