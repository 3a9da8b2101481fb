/**
 * Signing in by OpenID Connect against real Headscales: with a whole identity provider and its pages, and with Headscale's
 * own mock. The command waits for the person as it does for a real one; a client with cookies walks the pages.
 */
import { expect, test } from 'vitest'
import type { Child } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import type { PeerStatus } from './lab/local-api.ts'
import type { Lab } from './lab/lab.ts'
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

/** Starts a node that waits for its person; resolves with its link. */
async function waiting(lab: Lab, name: string): Promise<{ node: LabNode; link: string }> {
  const node = await lab.add('bowline', name)
  await node.api.start({ UpdatePrefs: { ControlURL: lab.headscale.url, WantRunning: true, Hostname: name } })
  await node.api.call('POST', 'login-interactive')
  return { node, link: await linkOf(node) }
}

const idIn = (link: string): string => new URL(link).pathname.split('/').at(-1)!

const loginNameOf = async (node: LabNode): Promise<string> => {
  const { Config } = (await node.api.prefs()) as { Config: { UserProfile: { LoginName: string } } | null }
  return Config?.UserProfile.LoginName ?? ''
}

async function selfOf(node: LabNode): Promise<PeerStatus & { KeyExpiry?: string }> {
  return (await node.api.status()).Self
}

/** Resolves when a ping through the tunnel is answered. */
async function reaches(from: LabNode, to: LabNode): Promise<void> {
  const { v4 } = await to.ips()
  await waitFor(`${from.name} to reach ${to.name}`, async () => (await from.api.ping(v4, 'TSMP')).Err === '', { withinMs: 60_000 })
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

    test('who says no at the provider keeps the link, and may come back to it', async () => {
      const { node, link } = await waiting(lab(), 'undecided')
      const visitor = new WebVisitor()
      const refused = await visitor.submit(await visitor.visit(link), {}, 'Cancel')
      expect(refused.status).toBeGreaterThanOrEqual(400)
      expect(await linkOf(node)).toBe(link)
      const consentRefused = await visitor.submit(await visitor.submit(await visitor.visit(link), { name: 'anna' }), {}, 'Cancel')
      expect(consentRefused.status).toBeGreaterThanOrEqual(400)
      expect(await linkOf(node)).toBe(link)
      expect((await signInAs(visitor, link, 'anna')).status).toBe(200)
      await node.waitState('Running', 30_000)
    })

    test('a provider that is down leaves the link as it is; once it is back the same link signs in', async () => {
      const { node, link } = await waiting(lab(), 'patient')
      await lab().identity.stop()
      await expect(new WebVisitor().visit(link)).rejects.toThrow()
      expect(await linkOf(node)).toBe(link)
      await lab().identity.start()
      expect((await signInAs(new WebVisitor(), link, 'anna')).status).toBe(200)
      await node.waitState('Running', 30_000)
    })

    test('of two people with one link the first gets in; the second is told, and changes nothing', async () => {
      const { node, link } = await waiting(lab(), 'contested')
      const [anna, bob] = [new WebVisitor(), new WebVisitor()]
      const open = await bob.submit(await bob.visit(link), { name: 'bob' })
      expect(open.text).toContain('Allow')
      expect((await signInAs(anna, link, 'anna')).status).toBe(200)
      await node.waitState('Running', 30_000)
      const late = await bob.submit(open, {}, 'Allow')
      const answer = late.status < 400 ? await confirm(bob, late) : late
      expect(answer.status, answer.text).toBeGreaterThanOrEqual(400)
      expect(await loginNameOf(node)).toBe('anna@lab.internal')
      expect((await node.api.status()).BackendState).toBe('Running')
    })

    test('a server that restarts meanwhile has forgotten the link; the engine holds a new one, which signs in', async () => {
      const { node, link } = await waiting(lab(), 'interrupted')
      await lab().headscale.restart()
      const fresh = await linkOf(node, link)
      expect((await signInAs(new WebVisitor(), fresh, 'anna')).status).toBe(200)
      await node.waitState('Running', 30_000)
    })

    test('an admin lets the device in by the command while the person has not signed in', async () => {
      const { node, link } = await waiting(lab(), 'let-in')
      await lab().headscale.approve(link)
      await node.waitState('Running', 30_000)
      expect((await lab().headscale.node('let-in')).user.name).toBe('alice')
    })

    test.runIf(headscale === 'current')('an admin refuses the request: the engine holds a new link, and that one works', async () => {
      const { node, link } = await waiting(lab(), 'refused')
      await lab().headscale.cli('auth', 'reject', '--auth-id', idIn(link))
      const fresh = await linkOf(node, link)
      expect((await signInAs(new WebVisitor(), fresh, 'anna')).status).toBe(200)
      await node.waitState('Running', 30_000)
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

  labSuite(`OpenID Connect with sign-ins that end, ${headscale} Headscale`, { headscale, relays: 'embedded', identity: 'provider', signInSec: 3600 }, async () => {}, (lab) => {
    test('renewing gives a later end under a new key with the same addresses, and the other devices follow', async () => {
      const { node, link } = await waiting(lab(), 'renewing')
      const visitor = new WebVisitor()
      await signInAs(visitor, link, 'anna')
      await node.waitState('Running', 30_000)
      const other = await lab().join('bowline', 'other')
      await node.waitUsable(other)
      const before = await selfOf(node)
      expect(Date.parse(before.KeyExpiry!) - Date.now()).toBeLessThan(3_601_000)
      lab().identity.idTokenSec = 7200
      await node.api.call('POST', 'login-interactive')
      expect((await signInAs(visitor, await linkOf(node), 'anna')).status).toBe(200)
      await waitFor('the later end', async () => Date.parse((await selfOf(node)).KeyExpiry!) - Date.now() > 3_700_000, WITHIN)
      const after = await selfOf(node)
      expect(after.PublicKey).not.toBe(before.PublicKey)
      expect(after.TailscaleIPs).toEqual(before.TailscaleIPs)
      // By tunnel, not by disco: 0.28 keeps this device's disco key from the others after a renewal.
      await Promise.all([reaches(node, other), reaches(other, node)])
    })

    test('a sign-in that ended says so; one login brings the same device back', async () => {
      lab().identity.idTokenSec = 8
      const { node, link } = await waiting(lab(), 'ending')
      const visitor = new WebVisitor()
      await signInAs(visitor, link, 'anna')
      await node.waitState('Running', 30_000)
      const before = await selfOf(node)
      await node.waitState('NeedsLogin', 40_000)
      lab().identity.idTokenSec = 3600
      const login = node.startBowline('login')
      expect((await signInAs(visitor, await printedLink(login), 'anna')).status).toBe(200)
      expect(await login.exited, login.log).toEqual({ code: 0, signal: null })
      expect((await selfOf(node)).TailscaleIPs).toEqual(before.TailscaleIPs)
    })
  })

  labSuite(`OpenID Connect with links that are soon forgotten, ${headscale} Headscale`, { headscale, relays: 'embedded', identity: 'provider', linkSec: 5 }, async () => {}, (lab) => {
    test('the old link leads nowhere; the engine holds a new one, which signs in', async () => {
      const { node, link } = await waiting(lab(), 'forgotten')
      const fresh = await linkOf(node, link)
      const visitor = new WebVisitor()
      const old = await signInAs(visitor, link, 'anna').catch((error: Error) => ({ status: 599, text: error.message }))
      expect(old.status, old.text).toBeGreaterThanOrEqual(400)
      const now = (await node.api.status()).AuthURL || fresh
      expect((await signInAs(visitor, now, 'anna')).status).toBe(200)
      await node.waitState('Running', 30_000)
    })
  })
}
