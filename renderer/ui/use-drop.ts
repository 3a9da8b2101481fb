/**
 * Files dragged over the window: a device below them (`data-drop`, `data-device`) takes them, anything else holds them until a device is
 * chosen. A drop never navigates, whatever was dropped; text goes into fields as ever.
 *
 * The mark of the device below is an attribute that no component draws, so that a drag draws nothing anew.
 */
import { useEffect, useState } from 'react'
import { offerDropped } from '../state/sending.ts'
import { useSnapshot } from '../state/store.ts'
import { useApi } from './ApiContext.tsx'
import { inField } from './keys.ts'
import { say } from './toast.ts'

const TAKER = '[data-drop], [data-device]'

const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false

function takerOf(event: DragEvent): HTMLElement | null {
  const element = event.target instanceof Element ? event.target.closest<HTMLElement>(TAKER) : null
  return element && peerOf(element) !== undefined ? element : null
}

/** The device that an element stands for; this computer takes nothing from itself. */
function peerOf(element: HTMLElement): string | undefined {
  const id = element.dataset['drop'] ?? element.dataset['device']
  return id === undefined || id === '' || id === useSnapshot.getState().status?.Self.ID ? undefined : id
}

/** Whether files are over the window now. */
export function useDrop(): boolean {
  const api = useApi()
  const [isOver, setOver] = useState(false)
  useEffect(() => {
    let marked: HTMLElement | null = null
    const mark = (element: HTMLElement | null): void => {
      if (element === marked) return
      marked?.removeAttribute('data-dropping')
      element?.setAttribute('data-dropping', '')
      marked = element
    }
    const over = (event: DragEvent): void => {
      if (!hasFiles(event)) {
        if (!inField(event.target)) event.preventDefault()
        return
      }
      event.preventDefault()
      if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy'
      mark(takerOf(event))
      setOver(true)
    }
    const end = (): void => {
      mark(null)
      setOver(false)
    }
    const leave = (event: DragEvent): void => {
      // Out of the window, not from one element to the next.
      if (event.relatedTarget === null) end()
    }
    const drop = (event: DragEvent): void => {
      if (!hasFiles(event) && inField(event.target)) return
      event.preventDefault()
      const taker = takerOf(event)
      end()
      const files = [...(event.dataTransfer?.files ?? [])]
      if (files.length > 0) void offerDropped(api, files, taker ? peerOf(taker) : undefined, say)
    }
    window.addEventListener('dragenter', over)
    window.addEventListener('dragover', over)
    window.addEventListener('dragleave', leave)
    window.addEventListener('drop', drop)
    window.addEventListener('dragend', end)
    return () => {
      mark(null)
      window.removeEventListener('dragenter', over)
      window.removeEventListener('dragover', over)
      window.removeEventListener('dragleave', leave)
      window.removeEventListener('drop', drop)
      window.removeEventListener('dragend', end)
    }
  }, [api])
  return isOver
}

/** Where there is nobody to send to yet: what is dropped does nothing, and text goes into fields as ever. */
export function useNoDrop(): void {
  useEffect(() => {
    const refuse = (event: DragEvent): void => {
      if (!hasFiles(event) && inField(event.target)) return
      event.preventDefault()
      if (event.dataTransfer) event.dataTransfer.dropEffect = 'none'
    }
    window.addEventListener('dragover', refuse)
    window.addEventListener('drop', refuse)
    return () => {
      window.removeEventListener('dragover', refuse)
      window.removeEventListener('drop', refuse)
    }
  }, [])
}
