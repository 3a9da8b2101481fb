/**
 * Requests about windows and notices, asked by a page that is not to be trusted.
 */
import { describe, expect, it } from 'vitest'
import { LocalApiClient } from '../../../main/client/local-api-client.ts'
import { answerRequest, READS, type HostActions } from '../../../main/web/requests.ts'

function host(): { actions: HostActions; done: unknown[] } {
  const done: unknown[] = []
  const desktop = { showMain: (hash: unknown) => done.push(hash), smallWindow: (what: unknown) => done.push(what), useNotice: (...both: unknown[]) => done.push(both) }
  return { done, actions: { desktop } as unknown as HostActions }
}
const client = new LocalApiClient('/nonexistent')
const ask = async (name: string, send: unknown, actions = host().actions): Promise<string> => {
  const answer = await answerRequest(client, actions, name, send)
  return answer.ok ? 'ok' : answer.code
}

describe('requests about windows and notices', () => {
  it('are done when they are well-formed', async () => {
    const { actions, done } = host()
    for (const [name, send] of [['showMain', {}], ['showMain', { hash: '#/devices/n1%3A2/access' }], ['smallWindow', { do: 'pin' }], ['useNotice', { key: 'exit-node', action: 0 }], ['useNotice', { key: 'x' }]] as const) {
      expect(await ask(name, send, actions)).toBe('ok')
    }
    expect(done).toEqual([undefined, '#/devices/n1%3A2/access', 'pin', ['exit-node', 0], ['x', undefined]])
  })

  it('are refused in every other shape, with nothing done', async () => {
    const { actions, done } = host()
    const places = ['', 'https://evil.example', 'javascript:alert(1)', '#javascript:', '#/a b', '#/<b>', `#/${'a'.repeat(300)}`, 7, null, {}, []]
    for (const hash of places) expect(await ask('showMain', { hash }, actions)).toBe('bad-argument')
    for (const what of ['', 'open', 'toString', 1, null, {}]) expect(await ask('smallWindow', { do: what }, actions)).toBe('bad-argument')
    for (const action of [-1, 10, 0.5, NaN, '0', null, {}]) expect(await ask('useNotice', { key: 'a', action }, actions)).toBe('bad-argument')
    for (const key of [7, null, undefined, {}, 'k'.repeat(300)]) expect(await ask('useNotice', { key }, actions)).toBe('bad-argument')
    expect(done).toEqual([])
  })

  it('are answered in a browser with what it cannot do, and never by a window that only reads', async () => {
    for (const [name, send] of [['showMain', {}], ['smallWindow', { do: 'close' }], ['useNotice', { key: 'a' }]] as const) {
      expect(await ask(name, send, {} as HostActions)).toBe('not-supported')
      expect(READS.has(name)).toBe(false)
    }
  })
})
