/**
 * Changes that a window or the tray asks for: looked at first, tried where something would be lost, else made at once.
 */
import { describe, expect, it } from 'vitest'
import type { LocalApiClient } from '../../../main/client/local-api-client.ts'
import { runAction, type Action } from '../../../main/app/actions.ts'
import { answerRequest, type HostActions } from '../../../main/web/requests.ts'

interface Asked {
  readonly method: string
  readonly path: string
  readonly body?: unknown
}

/** An engine whose preview says that, and which keeps what it was asked. */
function engine(preview: Record<string, unknown> = {}): { readonly client: LocalApiClient; readonly asked: Asked[] } {
  const asked: Asked[] = []
  const page = { Losses: [], IsRisky: false, Internet: { Before: 'direct', After: 'exit' }, ...preview }
  const json = async ({ method, path, body }: Asked): Promise<unknown> => {
    asked.push({ method, path, ...(body === undefined ? {} : { body }) })
    if (path === 'bowline/preview') return page
    return path === 'bowline/extras' && method === 'GET' ? { SkippedRoutes: ['10.1.0.0/16'] } : path === 'bowline/routes' ? { Accept: false, Routes: [{ Prefix: '10.1.0.0/16' }, { Prefix: '10.2.0.0/16' }] } : {}
  }
  return { client: { json } as unknown as LocalApiClient, asked }
}

const RISKY = { IsRisky: true }
const ROUTES = { RouteAll: true, RouteAllSet: true }
const made = (asked: readonly Asked[]): readonly string[] => asked.map(({ method, path }) => `${method} ${path}`)

async function ask(preview: Record<string, unknown>, name: string, send: unknown, host: Partial<HostActions> = {}): Promise<readonly string[]> {
  const { client, asked } = engine(preview)
  const answer = await answerRequest(client, host as HostActions, name, send)
  return [...made(asked), ...(answer.ok ? [] : [`${answer.code}: ${answer.message}`])]
}

describe('a change of a window', () => {
  it('that takes nothing is made at once', async () => {
    expect(await ask({}, 'editPrefs', ROUTES)).toEqual(['POST bowline/preview', 'PATCH prefs', 'GET prefs'])
    expect(await ask({}, 'useExitNode', { id: 'n1' })).toEqual(['POST bowline/preview', 'POST bowline/exit-nodes', 'GET bowline/exit-nodes'])
    expect(await ask({}, 'setMode', { mode: 'whole' })).toEqual(['POST bowline/preview', 'POST bowline/machine', 'GET bowline/machine'])
  })

  it('that takes something is begun on trial, and nothing else is done', async () => {
    for (const [name, send, last] of [['editPrefs', ROUTES, 'prefs'], ['clearExitNode', {}, 'bowline/exit-nodes'], ['setMode', { mode: 'apps' }, 'bowline/machine']] as const) {
      expect(await ask(RISKY, name, send)).toEqual(['POST bowline/preview', 'POST bowline/trial', `GET ${last}`])
    }
    expect(await ask(RISKY, 'useAllRoutes', {})).toEqual(['POST bowline/preview', 'POST bowline/trial'])
  })

  it('is asked of the engine as it would be made', async () => {
    const { client, asked } = engine(RISKY)
    await answerRequest(client, {} as HostActions, 'useRoute', { prefix: '10.1.0.0/16', use: true })
    expect(asked.at(-1)).toEqual({ method: 'POST', path: 'bowline/trial', body: { Change: { SkippedRoutes: ['10.2.0.0/16'], Prefs: ROUTES } } })
    await answerRequest(client, {} as HostActions, 'useExitNode', {})
    expect(asked.find(({ body }) => JSON.stringify(body)?.includes('"any"') === true)?.body).toMatchObject({ Prefs: { AutoExitNode: 'any', AutoExitNodeSet: true, ExitNodeID: '' } })
  })

  it('that cannot be made says why, and one whose exit node would block is refused by the engine’s own words', async () => {
    expect(await ask({ Refused: { Code: 'no-rights', Text: 'This engine has no rights.' } }, 'setMode', { mode: 'whole' })).toEqual(['POST bowline/preview', 'no-rights: This engine has no rights.'])
    expect(await ask({ ...RISKY, Internet: { Before: 'direct', After: 'blocked' } }, 'useExitNode', { id: 'n1' })).toEqual(['POST bowline/preview', 'POST bowline/exit-nodes', 'GET bowline/exit-nodes'])
  })

  it('is made without a look where the person wants none, or where it is none that takes something', async () => {
    expect(await ask(RISKY, 'editPrefs', ROUTES, { wantsTrial: () => false })).toEqual(['PATCH prefs', 'GET prefs'])
    expect(await ask(RISKY, 'editPrefs', { Hostname: 'x', HostnameSet: true })).toEqual(['PATCH prefs'])
    expect(await ask(RISKY, 'editPrefs', { ...ROUTES, Hostname: 'x', HostnameSet: true })).toEqual(['PATCH prefs'])
  })

  it('on trial is answered by its ID, in that shape alone', async () => {
    expect(await ask({}, 'answerTrial', { id: 't1', answer: 'keep' })).toEqual(['POST bowline/trial'])
    for (const send of [{}, { id: 't1' }, { id: '../x', answer: 'keep' }, { id: 't1', answer: 'maybe' }, { id: 7, answer: 'undo' }]) expect((await ask({}, 'answerTrial', send))[0]).toContain('bad-argument')
    expect((await ask({}, 'setMode', { mode: 'half' }))[0]).toContain('bad-argument')
  })
})

describe('a change of the tray', () => {
  it('that takes something is begun on trial, and the window shows it', async () => {
    for (const [preview, shown] of [[RISKY, 1], [{}, 0]] as const) {
      const { client, asked } = engine(preview)
      let opened = 0
      const act = (action: Action): Promise<void> => runAction({ client, showMain: () => void opened++, wantsTrial: () => true } as unknown as Parameters<typeof runAction>[0], action)
      await act({ kind: 'exit', do: { Do: 'use', Node: 'n1' } })
      expect([made(asked), opened]).toEqual([['POST bowline/preview', shown === 1 ? 'POST bowline/trial' : 'POST bowline/exit-nodes'], shown])
      await act({ kind: 'trial', id: 't1', answer: 'undo' })
      expect(asked.at(-1)?.body).toEqual({ ID: 't1', Answer: 'undo' })
    }
  })
})
