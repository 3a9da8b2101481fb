/**
 * What can stand above every place, and the keys and commands of the host that hold everywhere: places, palette, keyboard table, regions.
 */
import { useEffect, useState, type ReactNode } from 'react'
import { t } from '../../main/words/words.ts'
import type { BowlineApi, OfferedFiles } from '../../preload/contract.ts'
import { goTo, goToPlace } from '../state/route.ts'
import { chooseToSend, takeOffer } from '../state/sending.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { useKeys } from '../ui/keys.ts'
import { say } from '../ui/toast.ts'
import { ToastLine } from '../ui/ToastLine.tsx'
import { useDrop } from '../ui/use-drop.ts'
import { useRegionKeys } from '../ui/use-regions.ts'
import { KeyboardTable } from './KeyboardTable.tsx'
import { Palette } from './Palette.tsx'

export function Overlays(): ReactNode {
  const api = useApi()
  const [open, setOpen] = useState<'palette' | 'keyboard'>()
  const isOver = useDrop()
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
    if (command.kind === 'send') wantsToSend(api, command.offer, command.peer)
  }), [api])
  return (
    <>
      {open === 'palette' && <Palette onClose={() => setOpen((now) => (now === 'palette' ? undefined : now))} onKeyboard={() => setOpen('keyboard')} />}
      {open === 'keyboard' && <KeyboardTable onClose={() => setOpen(undefined)} />}
      {isOver && <p className="drop-hint" aria-hidden="true">{t('transfers.drop.hint')}</p>}
      <ToastLine />
    </>
  )
}

/** Files of the tray, of another window, or none yet; with a device or without. */
function wantsToSend(api: BowlineApi, offer: OfferedFiles | undefined, peer: string | undefined): void {
  goToPlace('transfers')
  if (offer) takeOffer(api, offer, peer, say)
  else void chooseToSend(api, false, peer, say)
}
