/**
 * Text that a stranger wrote (a server, a certificate, a proxy), made fit for a sentence: one line, no control or
 * direction characters, bounded.
 */
const MAX_TEXT = 300

/** The first line of a stranger's text, at most `max` characters of it. */
export function printable(text: string, max = MAX_TEXT): string {
  const line = text.trim().split('\n')[0] ?? ''
  // eslint-disable-next-line no-control-regex
  return line.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '').slice(0, max)
}
