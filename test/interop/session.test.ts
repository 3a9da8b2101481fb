/**
 * The life of a sign-in on real Headscale: ended and given back by the administrator, deleted, given up, by every kind of
 * auth key, and over restarts of the server. What a person is told is read where every client reads it.
 */
import { expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import type { SessionPage } from '../../main/localapi/types.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

const WITHIN = { withinMs: 30_000 }

async function pageOf(node: LabNode): Promise<SessionPage> {
  return JSON.parse((await node.api.call('GET', 'bowline/session')).text) as SessionPage
}

function pageWith(node: LabNode, what: string, fits: (page: SessionPage) => boolean): Promise<SessionPage> {
  return waitFor(what, async () => {
    const page = await pageOf(node)
    return fits(page) ? page : undefined
  }, WITHIN)
}

const isRunning = (page: SessionPage): boolean => page.Kind === 'running' && page.KeyExpired !== true
const steps = (page: SessionPage): string[] => page.Steps.map(({ Step, State }) => `${Step} ${State}`)
const stateOf = async (node: LabNode): Promise<string> => (await node.api.status()).BackendState

/** Asks for a login and resolves with its link. */
async function link(node: LabNode, url: string): Promise<string> {
  await node.api.start({ UpdatePrefs: { ControlURL: url, WantRunning: true, Hostname: node.name } })
  await node.api.call('POST', 'login-interactive')
  const { AuthURL } = await pageWith(node, 'a link', (page) => page.AuthURL !== undefined)
  return AuthURL!
}

for (const headscale of ['current', 'before'] as const) {
  labSuite(`a sign-in on ${headscale} Headscale`, { headscale, relays: 'embedded' }, async () => {}, (lab) => {
    test('by approval: every step is told in its order, with its time, and the page is answered at each change', async () => {
      const node = await lab().add('bowline', 'stepwise')
      const url = await link(node, lab().headscale.url)
      const waiting = await pageOf(node)
      expect(steps(waiting)).toEqual(['server-key done', 'registration-sent done', 'link-shown done', 'waiting-for-approval running', 'authorised pending', 'map-received pending'])
      const next = node.api.call('GET', `bowline/session?after=${waiting.Version}`, undefined, {}, 40_000)
      await lab().headscale.approve(url)
      expect((JSON.parse((await next).text) as SessionPage).Version).toBeGreaterThan(waiting.Version)
      const done = await pageWith(node, 'the end of the steps', isRunning)
      expect(done.Steps.every(({ State, At, TookMs }) => State === 'done' && At !== undefined && TookMs !== undefined)).toBe(true)
      const times = done.Steps.map(({ At }) => Date.parse(At!))
      expect(times).toEqual(times.toSorted((a, b) => a - b))
      const again = await lab().headscale.approve(url).then(() => 'approved', () => 'refused')
      expect(await stateOf(node), `a second approval was ${again}`).toBe('Running')
    })

    test('an end set by the administrator is told at once', async () => {
      const node = await lab().join('bowline', 'ending')
      const { id } = await lab().headscale.node('ending')
      const soon = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z/, 'Z')
      await lab().headscale.cli('nodes', 'expire', '-i', String(id), '--expiry', soon)
      await pageWith(node, 'the coming end', (page) => page.KeyExpiry !== undefined && Math.abs(Date.parse(page.KeyExpiry) - Date.parse(soon)) < 2000)
      expect(await stateOf(node)).toBe('Running')
      await lab().headscale.cli('nodes', 'expire', '-i', String(id))
      const ended = await pageWith(node, 'the end', (page) => page.KeyExpired === true)
      expect(ended.Problem).toMatchObject({ Code: 'key-expired', Action: { Kind: 'sign-in-again' } })
      expect(await stateOf(node)).toBe('NeedsLogin')
      expect((await node.api.status()).Health?.join() ?? '').toMatch(/sign-in has ended/i)
      await node.up(await lab().headscale.authKey(), '--force-reauth')
      await pageWith(node, 'the sign-in', isRunning)
    })

    test.runIf(headscale === 'current')('an end that the administrator takes back is over at once', async () => {
      const node = await lab().join('bowline', 'pardoned')
      const { id } = await lab().headscale.node('pardoned')
      const before = (await node.api.status()).Self.PublicKey
      await lab().headscale.cli('nodes', 'expire', '-i', String(id))
      await pageWith(node, 'the end', (page) => page.KeyExpired === true)
      await lab().headscale.cli('nodes', 'expire', '-i', String(id), '--disable')
      const page = await pageWith(node, 'its being over', isRunning)
      expect(page).not.toHaveProperty('Problem')
      expect((await node.api.status()).Self.PublicKey).toBe(before)
      await node.waitState('Running', 10_000)
    })

    test('a device that was deleted says so, with what to do, and comes back by one login', async () => {
      const node = await lab().join('bowline', 'deleted')
      await lab().headscale.remove((await lab().headscale.node('deleted')).id)
      // The server tells nobody: it is noticed with the next thing that the device has to say, or its next connection.
      await lab().headscale.restart()
      const page = await pageWith(node, 'the deletion', ({ Kind }) => Kind === 'needs-login')
      expect(page.Problem).toMatchObject({ Code: 'control-not-found', Action: { Kind: 'sign-in-again' }, Text: expect.stringMatching(/removed.*log in again/) })
      expect(await stateOf(node)).toBe('NeedsLogin')
      await node.api.call('POST', 'login-interactive')
      const { AuthURL } = await pageWith(node, 'a link', (now) => now.AuthURL !== undefined)
      await lab().headscale.approve(AuthURL!)
      await pageWith(node, 'the login', isRunning)
    })

    test('auth keys: reusable twice, tagged as its key says, ephemeral gone when it signs out', async () => {
      const reusable = await lab().headscale.authKey({ reusable: true })
      const [first, second] = await Promise.all([lab().add('bowline', 'first'), lab().add('bowline', 'second')])
      await Promise.all([first.up(reusable), second.up(reusable)])
      const tagged = await lab().add('bowline', 'tagged')
      await tagged.up(await lab().headscale.authKey({ tags: 'tag:server' }))
      const self = (await tagged.api.status()).Self as unknown as { Tags?: string[] }
      expect(self.Tags).toEqual(['tag:server'])
      const passing = await lab().add('bowline', 'passing')
      await passing.up(await lab().headscale.authKey({ ephemeral: true }))
      await passing.api.logout()
      await waitFor('the ephemeral device to be gone', async () => !(await lab().headscale.nodes()).some((node) => node.given_name === 'passing'), WITHIN)
      expect((await pageOf(passing)).Steps).toEqual([])
    })

    test('auth keys that are used up, over or unknown are told apart, once, with what to do', async () => {
      const used = await lab().headscale.authKey()
      await (await lab().add('bowline', 'user-of-key')).up(used)
      const over = await lab().headscale.authKey({ expiration: '1ms' })
      for (const [name, key, words] of [['late', over, /time is over/], ['next', used, /one device/], ['odd', 'rubbish', /does not know it/]] as const) {
        const node = await lab().add('bowline', name)
        await node.api.start({ UpdatePrefs: { ControlURL: lab().headscale.url, WantRunning: true, Hostname: name }, AuthKey: key })
        const page = await pageWith(node, `${name} to be refused`, ({ Kind }) => Kind === 'failed')
        expect(page.Problem).toMatchObject({ Code: 'auth-key-invalid', Text: expect.stringMatching(words), Action: { Kind: 'new-auth-key' } })
        expect(steps(page)[1]).toBe('registration-sent failed')
        expect(node.log).not.toContain(key)
        await node.stop()
      }
    })
  })
}

/** More of them on demand: BOWLINE_RESTARTS=200. */
const RESTARTS = Number(process.env['BOWLINE_RESTARTS'] ?? 20)

labSuite('a server that is restarted again and again', { relays: 'derper' }, async () => {}, (lab) => {
  test(`${RESTARTS} restarts, by signal and as crashes, leave nobody stuck: neither who is connected nor who waits for approval`, async () => {
    const [steady, other] = await Promise.all([lab().join('bowline', 'steady'), lab().join('bowline', 'other')])
    const waiting = await lab().add('bowline', 'waiting')
    await link(waiting, lab().headscale.url)
    for (let n = 1; n <= RESTARTS; n++) {
      await lab().headscale.stop(n % 3 === 0 ? 'kill' : 'term')
      await lab().headscale.resume()
      // Every other time the server goes again before anybody has come back.
      if (n % 2 === 1 && n !== RESTARTS) continue
      await Promise.all([steady, other].map((node) => pageWith(node, `${node.name} to be back after restart ${n}`, isRunning)))
    }
    for (const node of [steady, other]) expect(await stateOf(node)).toBe('Running')
    const page = await pageWith(waiting, 'a link of the last server', ({ Kind }) => Kind === 'waiting')
    expect(page.Steps[2]).toMatchObject({ Step: 'link-shown', Why: expect.stringMatching(/restarted|made a new one|approve/) })
    await waitFor('the link of the last server to be approved', async () => {
      const { AuthURL } = await pageOf(waiting)
      if (AuthURL === undefined) return false
      return lab().headscale.approve(AuthURL).then(() => true, () => false)
    }, { withinMs: 90_000, everyMs: 500 })
    await pageWith(waiting, 'the login', isRunning)
  }, 60_000 + RESTARTS * 8000)
})
