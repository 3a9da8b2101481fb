/**
 * Text for terminals: what could steer one is made harmless, columns are counted as they are seen, lines fit the width.
 *
 * Styles are marks in the text (code points that Unicode keeps free of characters). They become colours, or nothing, where
 * the text leaves the program, and nowhere else does an escape sequence get out.
 */

/**
 * Names come from other people's machines. Control characters, marks that turn the writing direction, invisible
 * characters and our own style marks; `kept` says which of them may stay.
 */
const STEERING = '\\u0000-\\u001f\\u007f-\\u009f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufdd0-\\ufdef\\ufeff\\ufff9-\\ufffb'
const IN_NAMES = new RegExp(`[${STEERING}]|[\\u{e0000}-\\u{e007f}]`, 'gu')
const IN_PAGES = new RegExp(`(?![\\n\\t\\ufdd0-\\ufdd3])[${STEERING}]|[\\u{e0000}-\\u{e007f}]`, 'gu')

export type Style = 'strong' | 'faint' | 'warning'

const END = '\ufdd0'
const MARKS: Readonly<Record<Style, string>> = { strong: '\ufdd1', faint: '\ufdd2', warning: '\ufdd3' }
const ESCAPES: Readonly<Record<string, string>> = { '\ufdd0': '\u001b[0m', '\ufdd1': '\u001b[1m', '\ufdd2': '\u001b[2m', '\ufdd3': '\u001b[33m' }

/** One line of somebody else's text: what could steer a terminal is replaced, line breaks too. */
export function printable(text: string): string {
  return text.replace(IN_NAMES, '\ufffd')
}

/** Text with a style where colours are shown. */
export function styled(style: Style, text: string): string {
  return text === '' ? '' : `${MARKS[style]}${text}${END}`
}

/** A page on its way out: steering characters replaced except line breaks and tabs, styles as colours or left out. */
export function rendered(text: string, colour: boolean): string {
  return text.replace(IN_PAGES, '\ufffd').replace(/[\ufdd0-\ufdd3]/g, (mark) => (colour ? ESCAPES[mark]! : ''))
}

/** Columns that a text takes on a terminal: wide characters two, combining ones and style marks none. */
export function widthOf(text: string): number {
  let width = 0
  for (const char of text) width += /[\ufdd0-\ufdd3\p{M}\u200c\u200d]/u.test(char) ? 0 : /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(char) ? 2 : 1
  return width
}

/** Rows in columns, two spaces apart, no trailing blanks. Cells may carry styles; everything else in them is made printable. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  const cells = rows.map((row) => row.map(cell))
  for (const row of cells) for (const [i, text] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, widthOf(text))
  return cells.map((row) => row.map((text, i) => (i === row.length - 1 ? text : text + ' '.repeat(widths[i]! - widthOf(text)))).join('  ').trimEnd()).join('\n')
}

const cell = (text: string): string => text.replace(IN_NAMES, (char) => (char >= END && char <= '\ufdd3' ? char : '\ufffd'))

/** Breaks a paragraph at blanks so that no line is wider; lines after the first get `indent` blanks. Long words stay whole. */
export function wrap(text: string, columns: number, indent = 0): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const room = columns - (lines.length > 0 ? indent : 0)
    if (line !== '' && widthOf(line) + 1 + widthOf(word) > room) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].join(`\n${' '.repeat(indent)}`)
}

/** JSON whose strings hold no character that could steer a terminal; it means the same. */
export function jsonText(value: unknown, indent?: number): string {
  const escaped = (char: string): string => [...Array(char.length).keys()].map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')
  return (JSON.stringify(value, null, indent) ?? 'null').replace(IN_NAMES, (char) => (char === '\n' ? char : escaped(char)))
}
