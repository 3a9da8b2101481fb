/**
 * The page at "/": tells a person at the other device that it reached this one, and as whom. Pings of type PeerAPI ask for it.
 */
import { magicDnsSuffix, shortName } from '../core/plan/names.ts'
import type { Answer, Visit } from './ports.ts'

export function hello({ caller, from }: Visit): Answer {
  const { node, user, self } = caller
  const suffix = magicDnsSuffix(self)
  const isTagged = [node, self].some(({ Tags }) => (Tags ?? []).length > 0)
  const owner = !isTagged && node.User === self.User ? '<p>It has the same owner as your device.</p>\n' : ''
  const body =
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>Bowline</title>\n<body>\n' +
    `<h1>Hello, ${escape(user.DisplayName || user.LoginName)} (${escape(from)})</h1>\n` +
    `<p>This device runs Bowline and is called ${escape(shortName(self, suffix))}. Yours is called ${escape(shortName(node, suffix))}.</p>\n${owner}</body>\n</html>\n`
  return { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' }, body }
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' }

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char]!)
}
