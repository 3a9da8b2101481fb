import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { uidOf } from '../../../main/engine/server/caller.ts'
import { LocalApiServer } from '../../../main/engine/server/localapi-server.ts'
import { METHODS } from '../../../main/localapi/methods.ts'
import type { Method } from '../../../main/localapi/methods.ts'
import { exchange, makeMachine, makeTrial, makeTaildrop, makeTrust, serve } from './rig.ts'
import type { ServerRig } from './rig.ts'

let api: ServerRig
afterEach(() => api.stop())
const caller = (uid: number) => ({ peerCredentials: () => ({ pid: 1, uid, gid: uid }) })

describe('the local socket', () => {
  test('headers of every answer are those of a real daemon', async () => {
    api = await serve()
    const { headers } = await api.call('GET', 'status')
    expect(headers).toMatchObject({ 'tailscale-version': '0.1.0', 'tailscale-cap': expect.stringMatching(/^\d+$/), 'x-frame-options': 'DENY', 'x-content-type-options': 'nosniff', 'content-type': 'application/json' })
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect((await exchange(api.socketPath, 'GET', '/')).text).toBe('tailscaled\n')
  })

  test.each<[string, Record<string, string>]>([
    ['a foreign Host', { host: 'evil.example' }],
    ['a loopback Host', { host: 'localhost:41112' }],
    ['an Origin', { origin: 'http://local-tailscaled.sock' }],
    ['a Referer', { referer: 'http://x/' }],
  ])('%s is refused', async (_name, headers) => {
    api = await serve()
    expect(await api.call('GET', 'status', { headers })).toMatchObject({ status: 403, text: 'invalid localapi request\n' })
  })

  test('an empty Host is taken', async () => {
    api = await serve()
    const socket = connect(api.socketPath)
    socket.write('GET /localapi/v0/check-ip-forwarding HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /)
    socket.destroy()
  })

  test('unknown paths are 404, wrong methods 405', async () => {
    api = await serve()
    expect(await api.call('GET', 'nonesuch')).toMatchObject({ status: 404, text: '404 page not found\n' })
    expect((await exchange(api.socketPath, 'GET', '/elsewhere')).status).toBe(404)
    expect(await api.call('DELETE', 'derpmap')).toMatchObject({ status: 400, text: 'want GET\n' })
    expect(await api.call('PUT', 'prefs')).toMatchObject({ status: 405, text: 'unsupported method\n' })
  })

  test('another user may read and not write; what was refused is in the journal', async () => {
    api = await serve(caller(4242))
    for (const { path, methods, may, denied, lacks } of Object.values(METHODS) as Method<unknown, unknown>[]) {
      if (path === 'watch-ipn-bus') continue
      const { status, text } = await api.call(methods[0]!, path)
      expect([path, status === 403]).toEqual([path, may === 'write' && lacks !== 'absent'])
      if (status === 403) expect(text).toBe(`${denied}\n`)
    }
    expect(api.rig.journal).toContainEqual(expect.objectContaining({ part: 'server', kind: 'refused' }))
  })

  test('root may write', async () => {
    api = await serve(caller(0))
    expect((await api.call('PATCH', 'prefs', { body: { ShieldsUp: true, ShieldsUpSet: true } })).status).toBe(200)
  })

  test('the user named as operator may write', async () => {
    api = await serve(caller(4242))
    api.rig.backend.editPrefs({ OperatorUser: '4242', OperatorUserSet: true })
    expect((await api.call('POST', 'logout')).status).toBe(204)
  })

  test('a caller that the system cannot name may only read', async () => {
    api = await serve({ peerCredentials: () => undefined })
    expect((await api.call('GET', 'status')).status).toBe(200)
    expect((await api.call('POST', 'logout')).status).toBe(403)
  })

  test('is open to all where callers can be told apart, else to its owner alone', async () => {
    api = await serve(caller(0))
    expect(statSync(api.socketPath).mode & 0o777).toBe(0o666)
    await api.stop()
    api = await serve()
    expect(statSync(api.socketPath).mode & 0o777).toBe(0o600)
  })

  test.each<[string, string, string, unknown]>([
    ['a body that is no JSON', 'PATCH', 'prefs', '{"x'],
    ['prefs that are a list', 'PATCH', 'prefs', []],
    ['a start that is a text', 'POST', 'start', '"x"'],
    ['an auth key that is a number', 'POST', 'start', { AuthKey: 5 }],
    ['a ping without address', 'POST', 'ping', undefined],
    ['a ping of a name', 'POST', 'ping?ip=n2&type=disco', undefined],
    ['a ping of an unknown kind', 'POST', 'ping?ip=100.64.0.2&type=x', undefined],
    ['a ping of absurd size', 'POST', 'ping?ip=100.64.0.2&type=disco&size=99999', undefined],
    ['a whois of nothing', 'GET', 'whois', undefined],
    ['a whois of rubbish', 'GET', 'whois?addr=x', undefined],
    ['a mask of rubbish', 'GET', 'watch-ipn-bus?mask=-1', undefined],
    ['a mask for inside the engine', 'GET', 'watch-ipn-bus?mask=65536', undefined],
    ['an unknown debug action', 'POST', 'debug?action=x', undefined],
    ['a forced relay that is no number', 'POST', 'debug?action=force-prefer-derp', 'x'],
  ])('%s is answered with 400 and a reason', async (_name, method, path, body) => {
    api = await serve()
    const answer = await api.call(method, path, { body })
    expect(answer.status).toBe(400)
    expect(answer.text.length).toBeGreaterThan(5)
  })

  test('a body without end is cut off', async () => {
    api = await serve()
    const body = 'x'.repeat(5 * 1024 * 1024)
    const outcome = await api.call('PATCH', 'prefs', { body }).then((answer) => answer.status, () => 'cut')
    expect([413, 'cut']).toContain(outcome)
    expect((await api.call('GET', 'status')).status).toBe(200)
  })

  test('bytes that are no HTTP are refused and hurt nobody', async () => {
    api = await serve()
    const socket = connect(api.socketPath)
    socket.resume()
    socket.write('\0\xff rubbish\r\n\r\n')
    await once(socket, 'close')
    expect((await api.call('GET', 'status')).status).toBe(200)
  })

  test('a watcher that leaves is forgotten', async () => {
    api = await serve()
    const call = request({ socketPath: api.socketPath, path: '/localapi/v0/watch-ipn-bus?mask=2', headers: { host: 'local-tailscaled.sock' } })
    call.end()
    const [response] = (await once(call, 'response')) as [NodeJS.ReadableStream]
    await once(response, 'data')
    call.destroy()
    call.on('error', () => {})
    await new Promise<void>((resolve) => {
      const look = (): void => {
        api.rig.backend.editPrefs({ ShieldsUp: !api.rig.backend.views.prefs().ShieldsUp, ShieldsUpSet: true })
        void exchange(api.socketPath, 'GET', '/').then(() => resolve())
      }
      setImmediate(look)
    })
    await api.server.close()
    expect(existsSync(api.socketPath)).toBe(false)
  })

  test('errors of the engine keep their sentence', async () => {
    api = await serve()
    const answer = await api.call('POST', 'start', { body: { UpdatePrefs: { WantRunning: true } } })
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining('--login-server') })
    api.join()
    api.rig.control.logoutFails = new Error('down')
    expect(await api.call('POST', 'logout')).toMatchObject({ status: 500, text: expect.stringContaining('remove it there') })
  })

  test('our own endpoints answer', async () => {
    api = await serve()
    expect((await api.call('GET', 'bowline/netmap')).status).toBe(503)
    api.join()
    expect((await api.call('GET', 'bowline/journal?n=5')).json()).toEqual({ events: [{ seq: 1, at: '1970-01-01T00:00:00.000Z', part: 'test', kind: 'k', why: 'w' }] })
    expect((await api.call('GET', 'bowline/paths')).json()).toEqual({ paths: [] })
    expect((await api.call('GET', 'bowline/netcheck')).json()).toMatchObject({ PreferredDERP: 999, UDP: true, MappingVariesByDestIP: null })
    expect((await api.call('GET', 'bowline/netcheck?full=false')).json()).toMatchObject({ UDP: false })
    expect((await api.call('GET', 'bowline/netmap')).json()).toMatchObject({ Peers: [{ ID: 2 }] })
    expect((await api.call('GET', 'metrics')).text).toContain('bowline_filter_drop_total 3\n')
    expect((await api.call('GET', 'usermetrics')).text).toContain('tailscaled_inbound_packets_total{path="derp"} 0\n')
  })

  test('profiles: list, switch, make and forget, with the stock answers', async () => {
    api = await serve()
    expect((await api.call('GET', 'profiles/')).json()).toEqual([])
    api.join()
    const [profile] = (await api.call('GET', 'profiles/')).json() as { ID: string }[]
    expect((await api.call('POST', `profiles/${profile!.ID}`)).status).toBe(204)
    expect((await api.call('GET', `profiles/${profile!.ID}`)).json()).toEqual(profile)
    expect((await api.call('GET', 'profiles/ffff')).status).toBe(404)
    expect((await api.call('GET', 'profiles/%zz')).status).toBe(400)
    expect(await api.call('POST', 'profiles/ffff')).toMatchObject({ status: 500, text: 'profile not found\n' })
    expect((await api.call('DELETE', 'profiles/ffff')).status).toBe(204)
    expect((await api.call('PUT', 'profiles/')).status).toBe(201)
    expect((await api.call('GET', 'profiles/current')).json()).toMatchObject({ ID: '' })
    expect((await api.call('DELETE', `profiles/${profile!.ID}`)).status).toBe(204)
    expect((await api.call('GET', 'status')).json()).toMatchObject({ BackendState: 'NeedsLogin' })
  })

  test('who stands behind a loopback connection is told', async () => {
    api = await serve()
    api.join()
    api.rig.dataplane.owners.set('tcp 127.0.0.1:5555', { ip: '100.64.0.2', port: 5555 })
    expect((await api.call('GET', 'whois?addr=127.0.0.1:5555&proto=tcp')).json()).toMatchObject({ Node: { ID: 2 } })
    expect((await api.call('GET', 'whois?addr=127.0.0.1:5556')).status).toBe(404)
  })
})

describe('a socket path', () => {
  const another = (): LocalApiServer => new LocalApiServer({ env: api.rig.env, backend: api.rig.backend, taildrop: makeTaildrop(api.rig, join(dirname(api.socketPath), 'spool')), machine: makeMachine(api.rig), trial: makeTrial(api.rig), trust: makeTrust(api.rig), journal: { tail: () => [], follow: () => () => {} }, peerCredentials: undefined })

  test('that another engine serves is refused, and the other goes on', async () => {
    api = await serve()
    await expect(another().listen(api.socketPath)).rejects.toMatchObject({ code: 'already-running' })
    expect((await api.call('GET', 'status')).status).toBe(200)
  })

  test('left behind by an engine that died is taken over', async () => {
    api = await serve()
    const path = join(dirname(api.socketPath), 'stale.sock')
    const code = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    await once(spawn(process.execPath, ['-e', code]), 'exit')
    expect(existsSync(path)).toBe(true)
    const server = another()
    await server.listen(path)
    expect((await exchange(path, 'GET', '/')).status).toBe(200)
    await server.close()
  })

  test('that is a file of somebody is left alone', async () => {
    api = await serve()
    const path = join(dirname(api.socketPath), 'notes.txt')
    writeFileSync(path, 'mine')
    await expect(another().listen(path)).rejects.toMatchObject({ code: 'io' })
    expect(readFileSync(path, 'utf8')).toBe('mine')
  })

  test('longer than the system allows is refused with the limit', async () => {
    api = await serve()
    await expect(another().listen(join(dirname(api.socketPath), 'x'.repeat(150)))).rejects.toMatchObject({ code: 'bad-argument', message: expect.stringContaining('--socket') })
  })
})

test('a user name is looked up in the list of users', async () => {
  api = await serve()
  const list = (): string => 'root:x:0:0::/root:/bin/sh\nmateo:x:1000:1000::/home/mateo:/bin/sh\nbroken\n'
  expect([uidOf('mateo', list), uidOf('0', list), uidOf('nobody', list)]).toEqual([1000, 0, undefined])
})
