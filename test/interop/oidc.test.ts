/**
 * Signing in by OpenID Connect against real Headscales: with a whole identity provider and its pages, and with Headscale's
 * own mock. The command waits for the person as it does for a real one; a client with cookies walks the pages.
 */
import { expect, test } from 'vitest'
import type { Child } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'
import { confirm, signInAs, WebVisitor } from './lab/web-visitor.ts'

const WITHIN = { withinMs: 30_000 }

/** The link that a waiting engine holds; with `not`, another one than that. */
function linkOf(node: LabNode, not = ''): Promise<string> {
  return waitFor('a link to sign in', async () => {
    const { AuthURL } = await node.api.status()
    return AuthURL !== '' && AuthURL !== not ? AuthURL : undefined
  }, WITHIN)
}

/** The link that the command has printed. */
function printedLink(command: Child): Promise<string> {
  return waitFor('the command to print a link', () => {
    const link = /https?:\/\/\S+\/register\/\S+/.exec(command.log)?.[0]
    if (link === undefined) command.assertRunning()
    return link
  }, WITHIN)
}

const loginNameOf = async (node: LabNode): Promise<string> => {
  const { Config } = (await node.api.prefs()) as { Config: { UserProfile: { LoginName: string } } | null }
  return Config?.UserProfile.LoginName ?? ''
}

for (const headscale of ['current', 'before'] as const) {
  labSuite(`OpenID Connect through the pages of a provider, ${headscale} Headscale`, { headscale, relays: 'embedded', identity: 'provider' }, async () => {}, (lab) => {
    test('up gives a link; name, consent and confirmation on its pages; the command ends connected', async () => {
      const node = await lab().add('bowline', 'anna-laptop')
      const up = node.startBowline('up', `--login-server=${lab().headscale.url}`, '--hostname=anna-laptop')
      const link = await printedLink(up)
      expect(link).toBe(await linkOf(node))
      const page = await signInAs(new WebVisitor(), link, 'anna')
      expect(page.status, page.text).toBe(200)
      expect(await up.exited, up.log).toEqual({ code: 0, signal: null })
      expect(up.log).toContain('Connected to')
      expect(await loginNameOf(node)).toBe('anna@lab.internal')
      expect((await lab().headscale.node('anna-laptop')).user.name).toBe('anna')
    })
  })

  labSuite(`OpenID Connect through Headscale's own mock provider, ${headscale} Headscale`, { headscale, relays: 'embedded', identity: { mock: ['bob'] } }, async () => {}, (lab) => {
    test('login gives a link; following it and confirming is all; the command ends connected', async () => {
      const node = await lab().add('bowline', 'bob-laptop')
      const login = node.startBowline('login', `--login-server=${lab().headscale.url}`, '--hostname=bob-laptop')
      const visitor = new WebVisitor()
      const page = await confirm(visitor, await visitor.visit(await printedLink(login)))
      expect(page.status, page.text).toBe(200)
      expect(await login.exited, login.log).toEqual({ code: 0, signal: null })
      expect(await loginNameOf(node)).toBe('bob@lab.internal')
    })
  })
}
