import { readdirSync } from 'node:fs'
import { request } from 'node:http'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { WATCH } from '../../../main/localapi/watch-mask.ts'
import { serve } from './rig.ts'
import type { ServerRig } from './rig.ts'

let api: ServerRig
afterEach(() => api.stop())

const own = process.getuid?.() ?? 0
const caller = (uid: number) => ({ peerCredentials: () => ({ pid: 1, uid, gid: uid }) })

/** The first line that a watcher gets. */
function firstNotify(mask: number): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: api.socketPath, path: `/localapi/v0/watch-ipn-bus?mask=${mask}`, headers: { host: 'local-tailscaled.sock' }, agent: false }, (response) => {
      response.once('data', (line: Buffer) => {
        resolve(JSON.parse(line.toString().split('\n')[0]!) as Record<string, unknown>)
        call.destroy()
      })
    })
    call.on('error', reject)
    call.end()
  })
}

describe('transfers over the LocalAPI', () => {
  test('are a page, and actions are checked', async () => {
    api = await serve()
    api.join()
    expect((await api.call('GET', 'bowline/transfers')).json()).toMatchObject({ Asks: [], Rows: [], Totals: { Moving: 0 } })
    expect(await api.call('POST', 'bowline/transfers', { body: { Do: 'explode' } })).toMatchObject({ status: 400 })
    expect(await api.call('POST', 'bowline/transfers', { body: { Do: 'pause', ID: 'nonesuch' } })).toMatchObject({ status: 404 })
    expect(await api.call('POST', 'bowline/transfers', { body: { Do: 'send', Peer: 'nobody', Items: [{ Path: '/etc/hosts' }] } })).toMatchObject({ status: 404 })
  })

  test('are told to watchers who may write, and to nobody else', async () => {
    api = await serve()
    expect(await firstNotify(WATCH.transfers | WATCH.initialState)).toMatchObject({ Transfers: { Whole: { Rows: [] } } })
    await api.stop()
    api = await serve(caller(4242))
    expect(await firstNotify(WATCH.transfers | WATCH.initialState)).not.toHaveProperty('Transfers')
    expect((await api.call('GET', 'bowline/transfers')).status).toBe(403)
    expect((await api.call('PUT', 'bowline/spool', { body: 'x' })).status).toBe(403)
  })

  test('paths and folders are for callers of the engine’s own user; another who may write is told what to do instead', async () => {
    api = await serve(caller(own + 4242))
    api.rig.backend.editPrefs({ OperatorUser: String(own + 4242), OperatorUserSet: true })
    api.join()
    api.rig.backend.editPrefs({ OperatorUser: String(own + 4242), OperatorUserSet: true })
    const refused = await api.call('POST', 'bowline/transfers', { body: { Do: 'send', Peer: 'x', Items: [{ Path: '/etc/shadow' }] } })
    expect(refused).toMatchObject({ status: 403, text: expect.stringContaining('bowline/spool') })
    expect(await api.call('PATCH', 'bowline/extras', { body: { Taildrop: { Folder: '/root' } } })).toMatchObject({ status: 403 })
    expect(await api.call('PATCH', 'bowline/extras', { body: { Taildrop: { Others: 'refuse' } } })).toMatchObject({ status: 200 })
    expect(await api.call('POST', 'bowline/transfers', { body: { Do: 'accept', Batch: 'b', Folder: '/root' } })).toMatchObject({ status: 403 })
    await api.stop()
    api = await serve(caller(own))
    expect(await api.call('PATCH', 'bowline/extras', { body: { Taildrop: { Folder: dirname(api.socketPath) } } })).toMatchObject({ status: 200 })
  })

  test('a thing is handed over as it comes, and one that breaks off leaves nothing', async () => {
    api = await serve()
    const spool = join(dirname(api.socketPath), '..', 'spool')
    const answer = await api.call('PUT', 'bowline/spool', { body: 'x'.repeat(200_000) })
    expect(answer.json()).toEqual({ Spool: expect.stringMatching(/^[0-9a-f]{32}$/), Size: 200_000 })
    expect(readdirSync(spool)).toHaveLength(1)
    await new Promise<void>((resolve) => {
      const call = request({ socketPath: api.socketPath, method: 'PUT', path: '/localapi/v0/bowline/spool', headers: { host: 'local-tailscaled.sock', 'content-length': 1_000 }, agent: false })
      call.on('error', () => resolve())
      call.write('half', () => call.destroy())
      call.on('close', () => resolve())
    })
    const deadline = performance.now() + 30_000
    while (readdirSync(spool).length !== 1 && performance.now() < deadline) await new Promise((done) => setTimeout(done, 10))
    expect(readdirSync(spool)).toHaveLength(1)
  })
})
