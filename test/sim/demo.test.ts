/**
 * The demo as a newcomer runs it: as a child process, to its end and broken off. It must do what it says and leave
 * nothing behind.
 */
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Child } from '../support/child.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const hasAddon = existsSync(`${root}native/bowline.${process.platform}-${process.arch}.node`)
const suite = hasAddon ? describe : describe.skip

suite(`the demo${hasAddon ? '' : ' (the native add-on is not built: npm run build:native)'}`, () => {
  let folder: string
  let demo: Child

  beforeEach(() => {
    folder = makeTempDir('demo')
  })

  afterEach(async () => {
    await demo.stop(12_000)
    removeTempDir(folder)
  })

  function start(...flags: string[]): Child {
    const args = [`${root}build/scripts/demo.mjs`, ...flags]
    demo = new Child({ name: 'demo', command: process.execPath, args, env: { TMPDIR: folder, DISPLAY: '', WAYLAND_DISPLAY: '' }, cwd: root })
    return demo
  }

  test('without a window it signs in, uses the network, goes from relayed to direct, and ends well', async () => {
    const { code } = await start('--no-window').exited
    expect(demo.log).toContain('The demo worked.')
    expect(demo.log).toMatch(/web +answers in .*relayed through demo/)
    expect(demo.log).toContain('web: relayed → direct')
    expect(demo.log).toMatch(/exit-node +answers in .*direct to 127\.0\.0\.1:/)
    expect(code).toBe(0)
    expect(readdirSync(folder)).toEqual([])
  }, 80_000)

  test('Ctrl-C in the middle ends it at once and leaves nothing behind', async () => {
    start('--no-window')
    await waitFor('the demo to be under way', () => demo.log.includes('your engine started'), { withinMs: 30_000 })
    expect(readdirSync(folder).length).toBe(1)
    demo.signal('SIGINT')
    expect(await demo.exited).toEqual({ code: 130, signal: null })
    expect(readdirSync(folder)).toEqual([])
  }, 60_000)

  test('when its starter is killed it ends by itself and cleans up', async () => {
    start('--no-window')
    await waitFor('the demo to be under way', () => demo.log.includes('your engine started'), { withinMs: 30_000 })
    await demo.kill()
    await waitFor('its folder to be gone', () => readdirSync(folder).length === 0, { withinMs: 10_000 })
  }, 60_000)

  test.runIf(process.platform === 'linux')('where no window can open it prints the address of one, and runs until it is ended', async () => {
    start()
    await waitFor('the address', () => /http:\/\/127\.0\.0\.1:\d+\/\?token=\S+/.test(demo.log) && demo.log.includes('Press Ctrl-C'), { withinMs: 30_000 })
    expect(demo.exit).toBeUndefined()
    demo.signal('SIGTERM')
    expect(await demo.exited).toEqual({ code: 143, signal: null })
    expect(readdirSync(folder)).toEqual([])
  }, 60_000)
})

test('a flag that the demo does not know is refused in one line', async () => {
  const child = new Child({ name: 'demo', command: process.execPath, args: [`${root}build/scripts/demo.mjs`, '--windows'], cwd: root })
  expect(await child.exited).toEqual({ code: 2, signal: null })
  expect(child.log).toContain('unknown flag --windows')
})
