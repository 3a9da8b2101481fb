/**
 * A browser without scripts: opens a page, keeps its cookies, fills in its one form and submits it.
 */
export interface Page {
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly cookie: string
}

/** Opens a page. */
export async function visit(url: string): Promise<Page> {
  return toPage(url, await fetch(url), '')
}

/** Submits the page's form with these fields filled in, hidden ones as they are. */
export async function submitForm(page: Page, fields: Readonly<Record<string, string>>): Promise<Page> {
  const form = new URLSearchParams()
  for (const [input] of page.text.matchAll(/<input [^>]*>/g)) {
    const name = attribute(input, 'name')
    if (name !== undefined) form.set(name, fields[name] ?? attribute(input, 'value') ?? '')
  }
  const action = attribute(/<form [^>]*>/.exec(page.text)?.[0] ?? '', 'action')
  const url = new URL(action ?? page.url, page.url).href
  const reply = await fetch(url, { method: 'POST', body: form, headers: { cookie: page.cookie, origin: new URL(url).origin } })
  return toPage(url, reply, page.cookie)
}

async function toPage(url: string, reply: Response, cookies: string): Promise<Page> {
  const fresh = reply.headers.getSetCookie().map((line) => line.split(';')[0]!)
  const cookie = fresh.length > 0 ? fresh.join('; ') : cookies
  return { url, status: reply.status, headers: reply.headers, text: await reply.text(), cookie }
}

const UNESCAPED: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" }

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1]
  return value?.replace(/&(amp|lt|gt|quot|#39);/g, (entity) => UNESCAPED[entity] ?? entity)
}
