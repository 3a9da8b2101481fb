/**
 * Reads the QR code of a picture that a person chose. The file is a stranger's: its kind and size are read from its first bytes before
 * anything decodes it, so that a small file that unpacks to a huge picture is refused.
 */

const MAX_FILE_BYTES = 8_000_000
const MAX_PIXELS = 24_000_000
/** The longest side at which a code is looked for. */
const LOOK_SIDE = 1600
const MAX_TEXT = 8000

export type QrFault = 'too-large' | 'no-picture' | 'no-code'
export type QrRead = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'fault'; readonly fault: QrFault }

/** Width and height of a PNG or JPEG by its head; undefined for anything else. */
export function pictureSize(bytes: Uint8Array): { readonly width: number; readonly height: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const isPng = bytes.length >= 24 && view.getUint32(0) === 0x89504e47 && view.getUint32(4) === 0x0d0a1a0a && view.getUint32(12) === 0x49484452
  if (isPng) return { width: view.getUint32(16), height: view.getUint32(20) }
  if (bytes.length < 4 || view.getUint16(0) !== 0xffd8) return undefined
  // Segments of a JPEG: marker, length; the frame header (C0…CF but C4, C8, CC) has the size.
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1]!
    if (marker === 0xff) at++
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) }
    else at += 2 + Math.max(2, view.getUint16(at + 2))
  }
  return undefined
}

/** The text of the code in a PNG or JPEG. Never rejects. */
export async function readQrPicture(file: Blob): Promise<QrRead> {
  if (file.size > MAX_FILE_BYTES) return { kind: 'fault', fault: 'too-large' }
  try {
    const size = pictureSize(new Uint8Array(await file.arrayBuffer()))
    if (!size || size.width === 0 || size.height === 0) return { kind: 'fault', fault: 'no-picture' }
    if (size.width * size.height > MAX_PIXELS) return { kind: 'fault', fault: 'too-large' }
    return await decode(file, size)
  } catch {
    return { kind: 'fault', fault: 'no-picture' }
  }
}

async function decode(file: Blob, size: { width: number; height: number }): Promise<QrRead> {
  const scale = Math.min(1, LOOK_SIDE / Math.max(size.width, size.height))
  const [width, height] = [Math.max(1, Math.round(size.width * scale)), Math.max(1, Math.round(size.height * scale))]
  const bitmap = await createImageBitmap(file, { resizeWidth: width, resizeHeight: height, resizeQuality: 'high' })
  const context = new OffscreenCanvas(width, height).getContext('2d')!
  context.fillStyle = 'white'
  context.fillRect(0, 0, width, height)
  context.drawImage(bitmap, 0, 0)
  bitmap.close()
  const { data } = context.getImageData(0, 0, width, height)
  const { decodeQR } = await import('qr/decode.js')
  try {
    const text = decodeQR({ width, height, data }, { timeLimit: 1500 })
    return typeof text === 'string' && text !== '' && text.length <= MAX_TEXT ? { kind: 'text', text } : { kind: 'fault', fault: 'no-code' }
  } catch {
    return { kind: 'fault', fault: 'no-code' }
  }
}
