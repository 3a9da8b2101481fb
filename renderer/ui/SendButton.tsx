/**
 * Asks for files, or for folders where the host can give them, and sends them to a device, or holds them until one is chosen.
 */
import { useRef, useState, type ReactNode } from 'react'
import { useShallow } from 'zustand/react/shallow'
import { t } from '../../main/words/words.ts'
import { chooseToSend } from '../state/sending.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from './ApiContext.tsx'
import { FileIcon } from './FileIcon.tsx'
import { ariaKeys, withKey, type Combination } from './keys.ts'
import { PopupMenu } from './PopupMenu.tsx'
import { say } from './toast.ts'

interface SendButtonProps {
  /** Stable ID; undefined: it is chosen afterwards. */
  readonly peer?: string
  readonly words: string
  readonly keys?: Combination
  /** Before the words. */
  readonly children: ReactNode
}

/** In a browser only files can be chosen, so it asks for them at once. */
export function SendButton({ peer, words, keys, children }: SendButtonProps): ReactNode {
  const api = useApi()
  const [running, inApp] = useSnapshot(useShallow((s) => [s.app.engine === 'running', s.app.host === 'electron'] as const))
  const [place, setPlace] = useState<{ readonly x: number; readonly y: number }>()
  const button = useRef<HTMLButtonElement>(null)
  const choose = (folder: boolean): void => void chooseToSend(api, folder, peer, say)
  const press = (): void => {
    if (!inApp) return choose(false)
    const box = button.current!.getBoundingClientRect()
    setPlace({ x: box.left, y: box.bottom + 4 })
  }
  return (
    <>
      <button ref={button} type="button" className="button" disabled={!running} onClick={press} {...(keys === undefined ? {} : { title: withKey(words, keys), 'aria-keyshortcuts': ariaKeys(keys) })}
        {...(inApp ? { 'aria-haspopup': 'menu', 'aria-expanded': place !== undefined } : {})}>
        {children}{words}
      </button>
      {place && (
        <PopupMenu label={words} x={place.x} y={place.y} onClose={() => setPlace(undefined)} items={[
          { words: t('transfers.send.files'), icon: <FileIcon kind="file" size={16} />, act: () => choose(false) },
          { words: t('transfers.send.folders'), icon: <FileIcon kind="folder" size={16} />, act: () => choose(true) },
        ]} />
      )}
    </>
  )
}
