/**
 * What the demo writes to a terminal and to a file.
 */
import { expect, test } from 'vitest'
import { Screen } from './screen.ts'

function makeScreen(isTTY: boolean): { screen: Screen; text: () => string } {
  let text = ''
  const screen = new Screen({ isTTY, write: (part) => (text += part) }, { TERM: 'xterm' })
  return { screen, text: () => text }
}

test('a file gets plain lines: no escapes, no redrawing', async () => {
  const { screen, text } = makeScreen(false)
  await screen.step('ping web', () => Promise.resolve(3), (ms) => `web answers in ${ms} ms`)
  screen.table([['a', 'b'], ['long', 'c']])
  expect(text().replace(/\d+\.\d s/, 'N s')).toBe('  ✓ web answers in 3 ms (N s)\n    a     b\n    long  c\n')
})

test('a terminal sees the step under way, and then its end in the same line', async () => {
  const { screen, text } = makeScreen(true)
  await screen.step('ping web', () => Promise.resolve(3), () => 'done')
  expect(text()).toContain('ping web …')
  expect(text()).toContain('\r\u001b[2K')
  expect(text().endsWith('\n')).toBe(true)
})

test('a step that fails is shown and its error goes on', async () => {
  const { screen, text } = makeScreen(false)
  await expect(screen.step('ping web', () => Promise.reject(new Error('no answer')), () => '')).rejects.toThrow('no answer')
  expect(text()).toContain('✗ ping web: failed')
})

test('a closed screen says no more', async () => {
  const { screen, text } = makeScreen(true)
  screen.close()
  await screen.step('ping web', () => Promise.resolve(), () => 'done')
  expect(text()).toBe('')
})
