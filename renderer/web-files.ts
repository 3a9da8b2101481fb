/**
 * Files in a browser: the page itself keeps what was dropped or chosen, and uploads it to the engine's spool when it is sent. The browser
 * tells no places and gives no folders whole; folders are left out.
 */
import { t } from '../main/words/words.ts'
import type { Answer, OfferedFiles, Requests, TransferResult } from '../preload/contract.ts'

type Send = (name: 'sendSpooled', send: Requests['sendSpooled']['send']) => Promise<Answer<TransferResult>>
type Refusal = Extract<Answer<never>, { readonly ok: false }>

const OFFERS = 50
const MOST = 10_000
const SHOWN = 100

export class WebFiles {
  readonly #send: Send
  readonly #offers = new Map<string, readonly File[]>()
  #made = 0

  constructor(send: Send) {
    this.#send = send
  }

  async offer(given: readonly File[]): Promise<Answer<OfferedFiles>> {
    if (given.length > MOST) return { ok: false, code: 'too-many', message: t('shell.files.tooMany', { most: MOST }) }
    const readable = await Promise.all(given.map(isReadable))
    const files = given.filter((_file, index) => readable[index] === true)
    if (files.length === 0) return { ok: false, code: 'nothing-to-send', message: t('shell.files.noneWeb') }
    const Offer = `page-${++this.#made}`
    this.#offers.set(Offer, files)
    for (const id of [...this.#offers.keys()].slice(0, Math.max(0, this.#offers.size - OFFERS))) this.#offers.delete(id)
    const Items = files.slice(0, SHOWN).map(({ name, size }) => ({ Name: name, Kind: 'file' as const, Size: size, Files: 1 }))
    return { ok: true, value: { Offer, Items, Count: files.length, Size: files.reduce((sum, { size }) => sum + size, 0), LeftOut: given.length - files.length } }
  }

  /** Has the person choose; null: nothing. */
  async choose(folder: boolean): Promise<Answer<OfferedFiles | null>> {
    if (folder) return { ok: false, code: 'not-supported', message: t('shell.files.noFolders') }
    const files = await chosen()
    return files.length === 0 ? { ok: true, value: null } : this.offer(files)
  }

  /** Uploads one after the other, then sends them all. */
  async send(offer: string, peer: string): Promise<Answer<TransferResult>> {
    const files = this.#offers.get(offer)
    if (!files) return { ok: false, code: 'offer-over', message: t('shell.files.over') }
    const items: { spool: string; name: string }[] = []
    for (const file of files) {
      const answer = await upload(file)
      if (!answer.ok) return answer
      items.push({ spool: answer.value.Spool, name: file.name })
    }
    const answer = await this.#send('sendSpooled', { peer, items })
    if (answer.ok) this.#offers.delete(offer)
    return answer
  }

  drop(offer: string): void {
    this.#offers.delete(offer)
  }
}

/** A folder among dropped files looks like one and cannot be read. */
async function isReadable(file: File): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer()
    return true
  } catch {
    return false
  }
}

function chosen(): Promise<readonly File[]> {
  return new Promise((resolve) => {
    const input = document.createElement('input')
    input.type = 'file'
    input.multiple = true
    input.hidden = true
    const done = (files: readonly File[]): void => {
      input.remove()
      resolve(files)
    }
    input.addEventListener('change', () => done([...(input.files ?? [])]))
    input.addEventListener('cancel', () => done([]))
    // One that stands nowhere may be collected while its dialog is open.
    document.body.append(input)
    input.click()
  })
}

async function upload(file: File): Promise<{ readonly ok: true; readonly value: { readonly Spool: string } } | Refusal> {
  try {
    const response = await fetch('./api/spool', { method: 'PUT', headers: { 'content-type': 'application/octet-stream' }, body: file })
    return (await response.json()) as { readonly ok: true; readonly value: { readonly Spool: string } } | Refusal
  } catch {
    return { ok: false, code: 'upload-failed', message: t('shell.files.unread', { name: file.name }) }
  }
}
