/**
 * A person with a browser, without scripts: keeps cookies by path, follows redirects, fills in the first form of a page.
 *
 * Cookies ignore ports, as browsers do: control server and identity provider of a lab share 127.0.0.1.
 */
export interface VisitedPage {
  readonly url: string
  readonly status: number
  readonly text: string
}

const MAX_STEPS = 20

export class WebVisitor {
  readonly #cookies = new Map<string, { name: string; value: string; path: string }>()

  /** Opens a page, going where it sends. */
  visit(url: string): Promise<VisitedPage> {
    return this.#go(url, undefined)
  }

  /** Submits a page's form: the first one, or the first whose text contains `button`. `fields` fill in its inputs. */
  submit(page: VisitedPage, fields: Readonly<Record<string, string>> = {}, button = ''): Promise<VisitedPage> {
    const form = [...page.text.matchAll(/<form([^>]*)>([\s\S]*?)<\/form>/g)].find((one) => one[2]!.includes(button))
    if (!form) throw new Error(`no such form on ${page.url} (${page.status}): ${page.text.slice(0, 500)}`)
    const body = new URLSearchParams()
    for (const [input] of form[2]!.matchAll(/<input [^>]*>/g)) {
      const name = attribute(input, 'name')
      if (name !== undefined) body.set(name, fields[name] ?? attribute(input, 'value') ?? '')
    }
    return this.#go(new URL(attribute(form[1]!, 'action') ?? page.url, page.url).href, body)
  }

  async #go(start: string, form: URLSearchParams | undefined): Promise<VisitedPage> {
    let url = start
    let body = form
    for (let step = 0; step < MAX_STEPS; step++) {
      const reply = await fetch(url, {
        redirect: 'manual',
        headers: { cookie: this.#cookiesFor(url), ...(body ? { origin: new URL(url).origin } : {}) },
        ...(body ? { method: 'POST', body } : {}),
      })
      this.#keep(url, reply.headers.getSetCookie())
      const text = await reply.text()
      const to = reply.headers.get('location')
      if (reply.status < 300 || reply.status >= 400 || to === null) return { url, status: reply.status, text }
      url = new URL(to, url).href
      body = undefined
    }
    throw new Error(`sent in circles from ${start}`)
  }

  #cookiesFor(url: string): string {
    const { pathname } = new URL(url)
    return [...this.#cookies.values()].filter(({ path }) => pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`)).map(({ name, value }) => `${name}=${value}`).join('; ')
  }

  #keep(url: string, lines: readonly string[]): void {
    for (const line of lines) {
      const [pair, ...rest] = line.split(';').map((part) => part.trim())
      const at = pair!.indexOf('=')
      const attributes = new Map(rest.map((part) => [part.split('=')[0]!.toLowerCase(), part.slice(part.indexOf('=') + 1)]))
      const path = attributes.get('path') ?? new URL(url).pathname.replace(/\/[^/]*$/, '/')
      const [name, value] = [pair!.slice(0, at), pair!.slice(at + 1)]
      const over = value === '' || attributes.get('max-age') === '0' || Date.parse(attributes.get('expires') ?? '') < Date.now()
      if (over) this.#cookies.delete(`${path} ${name}`)
      else this.#cookies.set(`${path} ${name}`, { name, value, path })
    }
  }
}

/** Walks a sign-in of the lab's provider to its end: name, consent, and the server's own confirmation where it asks for one. */
export async function signInAs(visitor: WebVisitor, link: string, name: string): Promise<VisitedPage> {
  let page = await visitor.visit(link)
  if (page.text.includes('name="name"')) page = await visitor.submit(page, { name })
  if (page.text.includes('>Allow<')) page = await visitor.submit(page, {}, 'Allow')
  return confirm(visitor, page)
}

/** The server's own question whether this device may join; servers before 0.29 ask nothing. */
export function confirm(visitor: WebVisitor, page: VisitedPage): Promise<VisitedPage> {
  return page.text.includes('headscale_register_confirm') ? visitor.submit(page) : Promise.resolve(page)
}

const UNESCAPED: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#34;': '"', '&#39;': "'", '&#43;': '+' }

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1]
  return value?.replace(/&(amp|lt|gt|quot|#34|#39|#43);/g, (entity) => UNESCAPED[entity] ?? entity)
}
