/**
 * Files in a browser's window (`bowline web`): chosen and dropped there, handed over to the engine, and with the other device in the end.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { missingBrowser } from './browser.ts'
import { openLabWindow, type LabWindow } from './lab-window.ts'

const missing = missingBrowser()
const PATIENCE = { withinMs: 60_000, everyMs: 100 }

describe.skipIf(missing !== undefined)(`files in a browser${missing === undefined ? '' : ` (${missing})`}`, () => {
  let window: LabWindow

  beforeAll(async () => {
    window = await openLabWindow(PATIENCE.withinMs, 'office')
    await window.page.goto(new URL('#/transfers', window.page.url()).href)
  })
  afterAll(async () => {
    await window?.stop()
  })

  const delivered = (name: string): Promise<unknown> =>
    waitFor(`${name} to be delivered`, async () => (await window.api.call('transfers')).Rows.find((row) => row.Name === name && row.State === 'delivered'), PATIENCE)
  const atPeer = (name: string): Promise<number | undefined> =>
    window.lab.peer('files').api.call('files').then((files) => (files as readonly { readonly Name: string; readonly Size: number }[]).find(({ Name }) => Name === name)?.Size)

  it('are chosen there, uploaded, and sent to the device that is pressed', async () => {
    const { page, lab } = window
    const [photo, notes] = [join(lab.folder, 'photo é.png'), join(lab.folder, 'notes.txt')]
    writeFileSync(photo, Buffer.alloc(3_000_000, 7))
    writeFileSync(notes, 'some notes')
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), page.getByRole('button', { name: 'Send files' }).first().click()])
    await chooser.setFiles([photo, notes])
    await page.getByText(/and 1 more, 3\.0 MB/).first().waitFor()
    await page.getByRole('complementary').getByRole('button', { name: /^files/ }).click()
    await delivered('photo é.png')
    await delivered('notes.txt')
    expect(await atPeer('photo é.png')).toBe(3_000_000)
    expect(await atPeer('notes.txt')).toBe(10)
  })

  it('are dropped anywhere, and the page stays where it is; a link or a text that is dropped does nothing', async () => {
    const { page } = window
    const before = page.url()
    await page.evaluate(() => {
      const drop = (fill: (data: DataTransfer) => void): void => {
        const data = new DataTransfer()
        fill(data)
        for (const type of ['dragenter', 'dragover', 'drop']) document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }))
      }
      drop((data) => data.setData('text/uri-list', 'https://evil.example/'))
      drop((data) => data.setData('text/plain', 'https://evil.example/'))
      drop((data) => data.items.add(new File(['dropped'], 'dropped.txt')))
    })
    await page.getByText(/dropped\.txt.*, 7 B/).first().waitFor()
    expect(page.url()).toBe(before)
    await page.getByRole('complementary').getByRole('button', { name: /^files/ }).click()
    await delivered('dropped.txt')
    expect(await atPeer('dropped.txt')).toBe(7)
  })
})
