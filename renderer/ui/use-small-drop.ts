/**
 * Files that are dropped on the small window: on a device they go to it, elsewhere the main window asks for one. Text and links do nothing,
 * and nothing that is dropped is ever opened by the page.
 */
import { useEffect, useState, type DragEvent } from 'react'
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { useApi } from './ApiContext.tsx'

/** Long enough to be read; what is under way stands in its own line. */
const SAID_MS = 8000

export interface SmallDrop {
  readonly handlers: { onDragOver(event: DragEvent<HTMLElement>): void; onDragLeave(event: DragEvent<HTMLElement>): void; onDrop(event: DragEvent<HTMLElement>): void }
  /** What came of it; '' = nothing to say. */
  readonly said: string
}

/** The row of a device below the pointer. */
function rowAt(event: DragEvent<HTMLElement>): HTMLElement | undefined {
  return event.target instanceof Element ? (event.target.closest<HTMLElement>('[data-drop-device]') ?? undefined) : undefined
}

function mark(window: HTMLElement, row: HTMLElement | undefined, on: boolean): void {
  window.classList.toggle('dropping', on)
  for (const other of window.querySelectorAll('.drop-here')) if (other !== row) other.classList.remove('drop-here')
  row?.classList.toggle('drop-here', on)
}

export function useSmallDrop(): SmallDrop {
  const api = useApi()
  const [said, setSaid] = useState('')
  useEffect(() => {
    if (said === '') return undefined
    const timer = setTimeout(() => setSaid(''), SAID_MS)
    return () => clearTimeout(timer)
  }, [said])
  const send = async (files: readonly File[], peer: string | undefined, device: string): Promise<void> => {
    const offered = await api.offer(files)
    if (!offered.ok) return setSaid(safeText(offered.message, 200))
    const { Offer, Count } = offered.value
    if (peer === undefined) return void (await api.call('showMain', { offer: Offer }))
    const sent = await api.call('sendFiles', { offer: Offer, peer })
    setSaid(sent.ok ? t('small.dropped', { n: Count, device }) : safeText(sent.message, 200))
  }
  return {
    said,
    handlers: {
      onDragOver(event) {
        event.preventDefault()
        const hasFiles = event.dataTransfer.types.includes('Files')
        event.dataTransfer.dropEffect = hasFiles ? 'copy' : 'none'
        if (hasFiles) mark(event.currentTarget, rowAt(event), true)
      },
      onDragLeave(event) {
        if (event.relatedTarget instanceof Node && event.currentTarget.contains(event.relatedTarget)) return
        mark(event.currentTarget, undefined, false)
      },
      onDrop(event) {
        event.preventDefault()
        const row = rowAt(event)
        mark(event.currentTarget, row, false)
        const files = [...event.dataTransfer.files]
        if (files.length > 0) void send(files, row?.dataset['dropDevice'], row?.querySelector('bdi')?.textContent ?? '')
      },
    },
  }
}
