/**
 * Reads small XML documents of routers: every element's local name and own text, in the order in which elements end. Pure.
 *
 * Bounded whatever comes: size, depth, number of elements, length of a text, number of faults. Entities of a document's own are
 * never expanded. Faults that real routers make (a bare "&", a wrong closing tag) are read over.
 */
import { SaxesParser } from 'saxes'

export const MAX_XML_CHARS = 64 * 1024
const MAX_DEPTH = 32
const MAX_ELEMENTS = 2000
const MAX_TEXT = 1024
const MAX_FAULTS = 50

/** "&" that begins none of XML's own entities: it stands for itself. */
const BARE_AMPERSAND = /&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-f]{1,6});)/gi

class TooMuch extends Error {}

/** Calls for each element that ends; false when the document was cut off there for being too much. */
export function readXml(text: string, onElement: (name: string, ownText: string) => void): boolean {
  if (text.length > MAX_XML_CHARS) return false
  const texts: string[] = []
  let elements = 0
  let faults = 0
  const parser = new SaxesParser()
  parser.on('error', () => {
    if (++faults > MAX_FAULTS) throw new TooMuch()
  })
  parser.on('opentag', () => {
    if (++elements > MAX_ELEMENTS || texts.length >= MAX_DEPTH) throw new TooMuch()
    texts.push('')
  })
  const add = (more: string): void => {
    const at = texts.length - 1
    if (at >= 0 && texts[at]!.length < MAX_TEXT) texts[at] = (texts[at]! + more).slice(0, MAX_TEXT)
  }
  parser.on('text', add)
  parser.on('cdata', add)
  parser.on('closetag', ({ name }) => {
    const own = texts.pop()
    if (own !== undefined) onElement(name.slice(name.indexOf(':') + 1), own.trim())
  })
  try {
    parser.write(text.replaceAll(BARE_AMPERSAND, '&amp;')).close()
    return true
  } catch (error) {
    if (error instanceof TooMuch) return false
    throw error
  }
}
