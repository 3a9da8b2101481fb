/**
 * Log lines: one a state change, "from → to (why)". Addresses and names at debug only, keys never.
 */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'trace'

const ORDER: readonly LogLevel[] = ['error', 'warn', 'info', 'debug', 'trace']

export interface Log {
  error(text: string, fields?: LogFields): void
  warn(text: string, fields?: LogFields): void
  info(text: string, fields?: LogFields): void
  debug(text: string, fields?: LogFields): void
  trace(text: string, fields?: LogFields): void
  /** The same sink under a part's name. */
  part(name: string): Log
}

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** A log that writes whole lines at or above `level` to `write`. */
export function makeLog(level: LogLevel, write: (line: string) => void, name = ''): Log {
  const limit = ORDER.indexOf(level)
  const at = (l: LogLevel) => (text: string, fields?: LogFields): void => {
    if (ORDER.indexOf(l) > limit) return
    let line = `${l === 'info' ? '' : `${l}: `}${name === '' ? '' : `${name}: `}${oneLine(text)}`
    for (const [key, value] of Object.entries(fields ?? {})) if (value !== undefined) line += ` ${key}=${quote(value)}`
    write(line)
  }
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    trace: at('trace'),
    part: (part) => makeLog(level, write, name === '' ? part : `${name}/${part}`),
  }
}

/** A log that keeps nothing: tests of pure behaviour. */
export const silentLog: Log = makeLog('error', () => {})

/** Control characters of hostile text would forge lines or steer a terminal. */
function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
}

function quote(value: string | number | boolean): string {
  if (typeof value !== 'string') return String(value)
  const clean = oneLine(value)
  return /^[\w.:/[\]@+-]+$/.test(clean) ? clean : JSON.stringify(clean)
}
