/**
 * A link as a picture for a phone's camera: dark on light in every theme, since many cameras read nothing else.
 */
import { useMemo, type ReactNode } from 'react'
import { encode } from 'uqr'

/** Light modules around it, as the standard wants. */
const BORDER = 4

export function QrCode({ text, label }: { text: string; label: string }): ReactNode {
  const picture = useMemo(() => {
    const { data, size } = encode(text, { border: BORDER, ecc: 'M' })
    const path = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : []))).join('')
    return { size, path }
  }, [text])
  return (
    <svg className="qr" role="img" aria-label={label} viewBox={`0 0 ${picture.size} ${picture.size}`} shapeRendering="crispEdges">
      <path className="qr-light" d={`M0 0h${picture.size}v${picture.size}h-${picture.size}z`} />
      <path className="qr-dark" d={picture.path} />
    </svg>
  )
}
