/**
 * What stands on a page in plain English while the window speaks its pretended language, in which every message has accents: words that no
 * catalogue knows. Names, addresses, raw evidence and the engine's or a server's own sentences are no messages.
 */
import type { Page } from 'playwright-core'

/** Names of the lab, of us, and of systems and languages. */
const NAMES = ['Bowline', 'English', 'Deutsch', 'Chromium', 'linux', 'demo', 'internal', 'computer', 'exit', 'node', 'files', 'laptop', 'office', 'anna', 'http', 'https', 'headscale', 'example', 'proxy', 'localhost', 'addr', 'PostgreSQL', 'MySQL']

/** Not messages: names, code, and sentences that the engine or a server made. */
const OTHERS = 'bdi, code, kbd, pre, .mono, .selectable, .licences, .health-row, .exit-cannot, .check-fix, .evidence dl, .evidence tbody, script, style, option'

const FIND = `(() => {
  const names = new Set(${JSON.stringify(NAMES.map((name) => name.toLowerCase()))})
  const isPlain = (text) => !/[àçéîñôûýÀÉÎÔÛÇ]/.test(text) && (text.match(/[A-Za-z]{4,}/g) ?? []).some((word) => !names.has(word.toLowerCase()))
  const found = new Set()
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (!node.parentElement?.closest(${JSON.stringify(OTHERS)}) && isPlain(node.data)) found.add(node.data.trim().slice(0, 100))
  }
  for (const name of ['aria-label', 'placeholder', 'aria-description']) for (const element of document.querySelectorAll('[' + name + ']')) {
    const text = element.getAttribute(name)
    if (!element.matches('bdi *, code') && isPlain(text)) found.add(name + ': ' + text.slice(0, 100))
  }
  return [...found]
})()`

export const plainText = (page: Page): Promise<readonly string[]> => page.evaluate(FIND)
