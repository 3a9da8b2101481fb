/**
 * A link as a picture that a phone reads, for terminals.
 *
 *   small  two rows of modules a line, half blocks
 *   large  one row a line, full blocks
 *   ascii  one row a line, # and blanks
 *
 * A terminal may be dark on light or light on dark: small and large draw the light modules, with a border, since most are dark;
 * readers of today take the picture either way round.
 */
import { encode } from 'uqr'

export type QrFormat = 'small' | 'large' | 'ascii'

const BORDER = 2

/** Lines of the picture; the link is at most 2,900 bytes or this throws. */
export function qrText(link: string, format: QrFormat): string {
  const { data, size } = encode(link, { border: BORDER, ecc: 'L' })
  const light = (x: number, y: number): boolean => data[y]?.[x] !== true
  const columns = [...Array(size).keys()]
  const lines: string[] = []
  if (format === 'small') {
    const half = (x: number, y: number): string => (light(x, y) ? (y + 1 < size && light(x, y + 1) ? '█' : '▀') : y + 1 < size && light(x, y + 1) ? '▄' : ' ')
    for (let y = 0; y < size; y += 2) lines.push(columns.map((x) => half(x, y)).join(''))
  } else {
    const [on, off] = format === 'large' ? ['██', '  '] : ['  ', '##']
    for (let y = 0; y < size; y++) lines.push(columns.map((x) => (light(x, y) ? on : off)).join('').trimEnd())
  }
  return lines.join('\n')
}
