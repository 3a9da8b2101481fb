/**
 * `npm run demo` with its window in real Electron: the address is filled in, the sign-in page opens by itself, the devices
 * come, and closing the window ends the demo with nothing left behind. Without Electron the window is served on loopback.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright-core'
import { afterEach, beforeEach, describe, expect, it, onTestFailed } from 'vitest'
import { submitForm, visit } from '../sim/control/browser.ts'
import { Child } from '../support/child.ts'
import { freeTcpPort } from '../support/ports.ts'
import { waitFor } from '../support/wait.ts'
import { electronBinary, missingBrowser, root } from './browser.ts'

const electron = electronBinary()
const demoMain = join(root, 'test/sim/demo/main.ts')

let folder: string
let temp: string
let demo: Child

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bowline-demo-test-'))
  temp = join(folder, 'tmp')
  mkdirSync(temp)
})
afterEach(async () => {
  await demo?.stop(12_000)
  rmSync(folder, { recursive: true, force: true })
})

/** Starts the demo with an opener of web pages that writes down what it was asked to open. */
function start(...flags: string[]): Child {
  const opener = join(folder, 'xdg-open')
  writeFileSync(opener, `#!/bin/sh\necho "$1" >> '${folder}/opened'\n`)
  chmodSync(opener, 0o755)
  demo = new Child({
    name: 'demo', command: process.execPath, cwd: root, args: [demoMain, ...flags],
    env: { TMPDIR: temp, PATH: `${folder}${delimiter}${process.env['PATH'] ?? ''}`, DISPLAY: process.env['DISPLAY'] ?? ':0' },
  })
  onTestFailed(() => console.error(demo.log))
  return demo
}

const opened = (): Promise<string> => waitFor('a page to be opened', () => (existsSync(`${folder}/opened`) ? readFileSync(`${folder}/opened`, 'utf8').trim().split('\n').at(-1) : undefined), { withinMs: 15_000 })

describe.skipIf(electron === undefined)(`the demo's window in Electron${electron === undefined ? ' (no Electron binary here)' : ''}`, () => {
  it('signs in with two clicks, shows the devices, and ends when the app is quit', async () => {
    const port = await freeTcpPort()
    start(`--app=${JSON.stringify([electron, '--no-sandbox', '--disable-gpu', `--remote-debugging-port=${port}`, root])}`)
    const browser = await waitFor('the window', () => chromium.connectOverCDP(`http://127.0.0.1:${port}`).catch(() => undefined), { withinMs: 30_000, everyMs: 200 })
    const page = await waitFor('its page', () => browser.contexts()[0]?.pages()[0], { withinMs: 10_000 })
    page.setDefaultTimeout(15_000)
    await page.getByRole('heading', { name: 'Join your network' }).waitFor()
    await expect.poll(() => page.getByLabel('Server address').inputValue()).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    const link = await opened()
    expect(link).toContain('/register/')
    await waitFor('the link in the terminal', () => demo.log.includes(link), { withinMs: 5000 })
    expect((await submitForm(await visit(link), { name: 'you' })).status).toBe(200)
    await page.getByRole('row', { name: /^web\./ }).waitFor()
    await waitFor('the demo to see it', () => demo.log.includes('my-computer joined as you'), { withinMs: 10_000 })
    await page.evaluate(`bowline.call('editSettings', { onQuit: 'keep' }).then(() => bowline.call('quit', {}))`).catch(() => {
      // The page went with the app.
    })
    expect(await demo.exited).toEqual({ code: 0, signal: null })
    expect(demo.log).toContain('Bowline was quit')
    expect(readdirSync(temp)).toEqual([])
  })
})

const missing = missingBrowser()

describe.skipIf(missing !== undefined || process.platform !== 'linux')(`the demo without Electron${missing === undefined ? '' : ` (${missing})`}`, () => {
  it('opens the window in the browser, and Ctrl-C ends it with nothing left behind', async () => {
    start('--browser')
    const address = new URL(await opened())
    expect(address.hostname).toBe('127.0.0.1')
    await waitFor('the words', () => demo.log.includes('the window is open in your browser') && demo.log.includes('Press Ctrl-C'), { withinMs: 10_000 })
    const answer = await fetch(address, { redirect: 'manual' })
    expect(answer.status).toBe(303)
    demo.signal('SIGINT')
    expect(await demo.exited).toEqual({ code: 130, signal: null })
    expect(readdirSync(temp)).toEqual([])
    await expect(fetch(address)).rejects.toThrow()
  })
})
