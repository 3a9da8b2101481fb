/**
 * Requests about files, asked by a page that is not to be trusted: what becomes a call of the engine, and that no place of this computer
 * can be named.
 */
import { describe, expect, it } from 'vitest'
import type { LocalApiClient, RequestOptions } from '../../../main/client/local-api-client.ts'
import { answerRequest, READS, type HostActions } from '../../../main/web/requests.ts'

function engine(): { client: LocalApiClient; asked: RequestOptions[] } {
  const asked: RequestOptions[] = []
  const json = async (options: RequestOptions): Promise<unknown> => {
    asked.push(options)
    return { Taildrop: { Folder: '/home/anna/in', Own: 'accept', Others: 'ask', Senders: {} } }
  }
  return { client: { json } as unknown as LocalApiClient, asked }
}

function host(): { actions: HostActions; done: unknown[] } {
  const done: unknown[] = []
  const note = (name: string) => async (...given: unknown[]) => void done.push([name, ...given])
  const files = Object.fromEntries(['chooseFiles', 'sendFiles', 'dropOffer', 'chooseFolder', 'openReceived', 'openInbox'].map((name) => [name, note(name)]))
  return { done, actions: { files } as unknown as HostActions }
}

const ID = 'a1b2c3'
const PATHS = ['/etc/passwd', '../x', 'C:\\x', '\\\\host\\share', 'file:///x', '.', '..', '', 'a/b', 'a b', '%2e%2e', 'a\0b', 'x'.repeat(65), 7, null, {}, [], true]

describe('requests about files', () => {
  it('become what the engine or the host does', async () => {
    const { client, asked } = engine()
    const { actions, done } = host()
    const ask = (name: string, send: unknown): Promise<unknown> => answerRequest(client, actions, name, send)
    await ask('transferTargets', {})
    for (const send of [{ Do: 'pause', ID }, { Do: 'forget' }, { Do: 'accept', Batch: ID, Always: true }, { Do: 'refuse', Batch: ID }]) await ask('transferAction', send)
    expect(await ask('taildropSettings', {})).toMatchObject({ ok: true, value: { Folder: '/home/anna/in' } })
    await ask('editTaildrop', { Others: 'refuse', Folder: '', Senders: { n1: 'accept' } })
    expect(asked.map(({ method, path, body }) => [method, path, body])).toEqual([
      ['GET', 'bowline/transfer-targets', undefined],
      ['POST', 'bowline/transfers', { Do: 'pause', ID }],
      ['POST', 'bowline/transfers', { Do: 'forget' }],
      ['POST', 'bowline/transfers', { Do: 'accept', Batch: ID, Always: true }],
      ['POST', 'bowline/transfers', { Do: 'refuse', Batch: ID }],
      ['GET', 'bowline/extras', undefined],
      ['PATCH', 'bowline/extras', { Taildrop: { Others: 'refuse', Senders: { n1: 'accept' }, Folder: '' } }],
    ])
    for (const [name, send] of [['chooseFiles', { folder: true }], ['sendFiles', { offer: ID, peer: 'n1' }], ['dropOffer', { offer: ID }], ['chooseFolder', { for: 'inbox' }], ['openReceived', { id: ID, how: 'open' }], ['openInbox', {}]] as const) {
      expect(await ask(name, send)).toMatchObject({ ok: true })
    }
    expect(done).toEqual([['chooseFiles', true], ['sendFiles', ID, 'n1'], ['dropOffer', ID], ['chooseFolder', 'inbox'], ['openReceived', ID, 'open'], ['openInbox']])
  })

  it('name no place of this computer, in whatever field it is tried', async () => {
    const { client, asked } = engine()
    const { actions, done } = host()
    const tries = PATHS.flatMap((path): readonly (readonly [string, unknown])[] => [
      ['sendFiles', { offer: path, peer: 'n1' }], ['sendFiles', { offer: ID, peer: path }], ['dropOffer', { offer: path }], ['chooseFolder', { for: path }],
      ['openReceived', { id: path, how: 'open' }], ['openReceived', { id: ID, how: path }], ['showMain', { offer: path }],
      ['transferAction', { Do: 'send', Peer: 'n1', Items: [{ Path: path }] }], ['transferAction', { Do: 'accept', Batch: ID, Folder: path }], ['transferAction', { Do: 'cancel', ID: path }],
      ['transferAction', { Do: 'forget', ID: path }], ['transferAction', { Do: path, ID }],
      ...(path === '' ? [] : [['editTaildrop', { Folder: path }] as const]), ['editTaildrop', { Senders: { n1: path } }], ['editTaildrop', { Inbox: path }],
      ['sendSpooled', { peer: 'n1', items: [{ spool: path, name: 'a' }] }], ['sendSpooled', { peer: path, items: [{ spool: ID, name: 'a' }] }],
    ])
    const names = ['', '/etc/passwd', 'a/b', 'a\\b', 'a\0b', 'x'.repeat(256), 7, null]
    const spooled = [...names.map((name) => ({ peer: 'n1', items: [{ spool: ID, name }] })), { peer: 'n1', items: [] }, { peer: 'n1', items: 'a' }, { peer: 'n1', items: [null] }, { peer: 'n1', items: Array(10_001).fill({ spool: ID, name: 'a' }) }]
    for (const [name, send] of [...tries, ...spooled.map((send) => ['sendSpooled', send] as const)]) {
      expect(await answerRequest(client, actions, name, send), `${name} ${JSON.stringify(send).slice(0, 100)}`).toMatchObject({ ok: false, code: 'bad-argument' })
    }
    expect(asked).toEqual([])
    expect(done).toEqual([])
  })

  it('that need files of this computer are refused in a browser, which sends what it uploaded; and uploads are for a browser alone', async () => {
    const { client, asked } = engine()
    const browser = {} as HostActions
    for (const [name, send] of [['chooseFolder', { for: 'inbox' }], ['openReceived', { id: ID, how: 'show' }], ['openInbox', {}], ['sendFiles', { offer: ID, peer: 'n1' }]] as const) {
      expect(await answerRequest(client, browser, name, send)).toMatchObject({ ok: false, code: 'not-supported' })
    }
    const upload = { peer: 'n1', items: [{ spool: ID, name: 'a b.txt' }] }
    expect(await answerRequest(client, host().actions, 'sendSpooled', upload)).toMatchObject({ ok: false, code: 'not-supported' })
    expect(asked).toEqual([])
    expect(await answerRequest(client, browser, 'sendSpooled', upload)).toMatchObject({ ok: true })
    expect(asked[0]).toMatchObject({ path: 'bowline/transfers', body: { Do: 'send', Peer: 'n1', Items: [{ Spool: ID, Name: 'a b.txt' }] } })
  })

  it('may be made by a window that only reads when they change nothing', () => {
    const names = ['transferTargets', 'transferAction', 'taildropSettings', 'editTaildrop', 'chooseFiles', 'sendFiles', 'dropOffer', 'sendSpooled', 'chooseFolder', 'openReceived', 'openInbox']
    expect(names.filter((name) => READS.has(name))).toEqual(['transferTargets', 'taildropSettings'])
  })
})
