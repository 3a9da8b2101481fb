/**
 * Control's requests to this node ("c2n") as they travel: a raw HTTP/1.x request inside a ping, a raw response back.
 * Pure codec; what the requests mean is decided above.
 */
const MAX_HEAD_BYTES = 16 * 1024

export interface C2nRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly body: Uint8Array
}

export interface C2nAnswer {
  readonly status: number
  /** "text/plain" without it. */
  readonly contentType?: string
  readonly body: string | Uint8Array
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  200: 'OK', 204: 'No Content', 400: 'Bad Request', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed', 500: 'Internal Server Error', 501: 'Not Implemented',
}

/** The request, or undefined when the bytes are none; the body may be chunked. */
export function parseC2nRequest(bytes: Uint8Array): C2nRequest | undefined {
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const end = raw.subarray(0, MAX_HEAD_BYTES).indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [first = '', ...fields] = raw.subarray(0, end).toString('latin1').split('\r\n')
  const match = /^([A-Z]{1,16}) (\S{1,8192}) HTTP\/1\.[01]$/.exec(first)
  if (!match) return undefined
  const headers = new Map(fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()] as const))
  let url: URL
  try {
    url = new URL(match[2]!, 'http://c2n')
  } catch {
    return undefined
  }
  const rest = raw.subarray(end + 4)
  const body = /chunked/i.test(headers.get('transfer-encoding') ?? '') ? unchunk(rest) : rest.subarray(0, Number(headers.get('content-length') ?? rest.length))
  return body && { method: match[1]!, path: url.pathname, query: url.searchParams, body }
}

function unchunk(bytes: Buffer): Uint8Array | undefined {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const end = bytes.indexOf('\r\n', at)
    const size = /^[0-9a-fA-F]{1,7}$/.test(bytes.subarray(at, Math.max(at, end)).toString('latin1')) ? Number.parseInt(bytes.subarray(at, end).toString('latin1'), 16) : -1
    if (end < 0 || size < 0 || end + 2 + size > bytes.length) return undefined
    if (size === 0) return Buffer.concat(parts)
    parts.push(bytes.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

/** The raw response. */
export function formatC2nAnswer({ status, contentType = 'text/plain; charset=utf-8', body }: C2nAnswer): Uint8Array {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const head = [`HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? 'Status'}`, `Content-Type: ${contentType}`, `Content-Length: ${bytes.length}`, 'Connection: close', '', '']
  return Buffer.concat([Buffer.from(head.join('\r\n'), 'latin1'), bytes])
}
