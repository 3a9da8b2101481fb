import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { main } from '../../../main/cli/bowline.ts'
import type { PrivateKey } from '../../../main/engine/base/keys.ts'
import { recorded } from '../backend/rig.ts'
import { waitFor } from '../../support/wait.ts'
import { serve } from '../server/rig.ts'
import type { ServerRig } from '../server/rig.ts'
import { runAt } from './run.ts'

let api: ServerRig
beforeEach(async () => {
  api = await serve()
})
afterEach(() => api.stop())

const run = (...argv: string[]): ReturnType<typeof runAt> => runAt(api.socketPath, argv)

/** Control answers each login at once, as `act` says. */
function answerLogins(act: (login: { authKey?: string; interactive: boolean }) => void): void {
  const begin = api.rig.control.begin.bind(api.rig.control)
  api.rig.control.begin = (login) => {
    begin(login)
    setImmediate(() => act(login))
  }
}
const UP = ['up', '--login-server', 'http://127.0.0.1:18080/', '--auth-key', 'k', '--hostname', 'n1', '--timeout', '10s']

describe('bowline up', () => {
  test('with a key joins step by step, says as what, and ends with 0', async () => {
    answerLogins(() => void api.rig.signIn())
    const steps = "  ✓ Server's key fetched\n  ✓ Registration sent\n  ✓ Let in by the server\n  ✓ List of devices received\n"
    expect(await run(...UP)).toEqual({ code: 0, out: 'Connected to lab.internal as n1 (100.64.0.1, fd7a:115c:a1e0::1)\n', err: steps })
    expect(api.rig.control.logins[0]).toMatchObject({ controlUrl: 'http://127.0.0.1:18080', authKey: 'k' })
  })

  test('again, when nothing has to change, ends at once', async () => {
    api.join()
    expect((await run('up')).code).toBe(0)
    expect((await run('up', '--shields-up', '--json')).out).toContain('"BackendState": "Running"')
    expect(api.rig.backend.views.prefs()).toMatchObject({ ShieldsUp: true, Hostname: 'n1' })
  })

  test('--reset puts back what is not mentioned', async () => {
    api.join()
    await run('up', '--shields-up', '--accept-routes')
    await run('up', '--reset', '--accept-routes')
    expect(api.rig.backend.views.prefs()).toMatchObject({ ShieldsUp: false, RouteAll: true, Hostname: '', CorpDNS: true })
  })

  test('with a refused key ends with 1 and the reason, as text and as JSON', async () => {
    answerLogins(() => api.rig.backend.facts.control.onState({ kind: 'failed', code: 'auth-key-invalid', message: 'the auth key was used already' }))
    expect(await run(...UP)).toMatchObject({ code: 1, err: expect.stringContaining('the auth key was used already') })
    expect(JSON.parse((await run(...UP, '--json')).out)).toMatchObject({ error: { code: 'sign-in-failed' } })
  })

  test('without a key prints the page and waits for it', async () => {
    const page = 'http://127.0.0.1:18080/register/x'
    answerLogins(() => api.rig.backend.facts.control.onState({ kind: 'waiting', authUrl: page, sinceMs: 0 }))
    let isVisited = false
    const onErr = (whole: string): void => {
      if (isVisited || !whole.includes(page)) return
      isVisited = true
      setImmediate(() => void api.rig.signIn())
    }
    const { code, err } = await runAt(api.socketPath, ['up', '--login-server=http://127.0.0.1:18080', '--timeout=10s'], { onErr })
    expect([code, err]).toEqual([0, expect.stringContaining(page)])
  })

  test('with the server away says so and what to do, gives up in time, and ends with 6', async () => {
    answerLogins(() => api.rig.backend.facts.control.onState({ kind: 'lost', code: 'control-unreachable', message: 'connection refused at 127.0.0.1:18080', retryInMs: 500 }))
    const { code, err } = await run(...UP.slice(0, -1), '300ms')
    expect(code).toBe(6)
    expect(err).toMatch(/connection refused at 127\.0\.0\.1:18080\. It is tried again by itself/i)
    expect(err).toContain('Not connected within 300ms')
  })

  test('without any server ever named is a matter of usage', async () => {
    expect(await run('up')).toMatchObject({ code: 2, err: expect.stringContaining('--login-server') })
  })

  test('force re-auth waits for a new key', async () => {
    api.join()
    const keys: (PrivateKey | undefined)[] = []
    answerLogins((login) => {
      keys.push(undefined)
      if (!login.interactive) return api.rig.backend.facts.control.onState({ kind: 'running', sinceMs: 0 })
      const message = recorded('02-initial-one-peer.json')
      void api.rig.signIn({ ...message, Node: { ...message.Node!, Key: `nodekey:${'ab'.repeat(32)}` } })
    })
    expect((await run(...UP, '--force-reauth')).code).toBe(0)
    expect(api.rig.backend.views.status(false).Self.PublicKey).toBe(`nodekey:${'ab'.repeat(32)}`)
  })
})

describe('the other verbs', () => {
  test('status of a signed-out engine ends with 7, of a stopped one with 5, and says what to do; as JSON with 0', async () => {
    expect(await run('status')).toMatchObject({ code: 7, out: expect.stringContaining('bowline up --login-server') })
    expect((await run('status', '--json')).code).toBe(0)
    api.join()
    await run('down')
    expect(await run('status')).toEqual({ code: 5, out: 'Disconnected. Connect with: bowline up\n', err: '' })
  })

  test('status lists the devices with the words for their paths', async () => {
    api.join()
    expect((await run('status')).out).toContain('n2  100.64.0.2  alice  linux  Idle\n')
    api.rig.magicsock.pathViews.set(api.rig.magicsock.config!.peers[0]!.key as never, { peer: api.rig.magicsock.config!.peers[0]!.key, path: { kind: 'relay', region: 999 }, latencyMs: 12.4, sinceMs: 0, evidence: { path: { kind: 'relay', region: 999 }, noDirect: 'switched-off', latencyMs: undefined, candidates: [], answered: 0, misses: 0, isActive: true, lostWhy: undefined, isGone: false } })
    expect((await run('status')).out).toContain('Relayed, lab, 12 ms\n')
    expect((await run('debug', 'paths')).out).toContain('relayed: direct paths are switched off here')
    api.rig.map(recorded('08-peer-offline-patch.json'))
    api.rig.magicsock.pathViews.clear()
    expect((await run('status')).out).toContain('Offline, says server\n')
  })

  test('debug path says the reason first, then what it rests on; as JSON and as a ticket', async () => {
    api.join()
    const peer = api.rig.magicsock.config!.peers[0]!.key
    const silent = { addr: { ip: '203.0.113.7', port: 41641 }, sources: ['map', 'call-me-maybe'], lastPingAgoMs: 2500, lastPongAgoMs: undefined, pingedUsAgoMs: undefined, latencyMs: undefined, unanswered: 9, isBest: false, carries: 'unknown' as const }
    const evidence = { path: { kind: 'relay', region: 999 } as const, noDirect: undefined, latencyMs: undefined, candidates: [silent], answered: 0, misses: 0, isActive: true, lostWhy: undefined, isGone: false }
    api.rig.magicsock.pathViews.set(peer as never, { peer, path: evidence.path, latencyMs: undefined, sinceMs: 0, evidence })
    const { code, out } = await run('debug', 'path', 'n2')
    expect(code).toBe(0)
    expect(out).toMatch(/^relayed: no reply from its only address; unknown why: [^\n]+\n\nDevice +n2 \(100\.64\.0\.2\)/)
    expect(out).toMatch(/203\.0\.113\.7:41641 +map, call-me-maybe +2 s ago +never +- +-\n/)
    expect(out).toMatch(/UDP gets out +unknown, not measured yet +yes, reported/)
    expect(JSON.parse((await run('debug', 'path', '100.64.0.2', '--json')).out)).toMatchObject({ peer, reason: { rule: 'unknown' } })
    expect((await run('debug', 'path', '--ticket', 'n2')).out).not.toContain('203.0.113.7')
    expect((await run('debug', 'path', '--ticket', '--names', 'n2')).out).toContain('203.0.113.7')
    expect(await run('debug', 'path', 'nobody')).toMatchObject({ code: 1, err: expect.stringContaining('No device is called "nobody"') })
    expect((await run('debug', 'path', 'n1')).err).toContain('That is this device')
    expect((await run('debug', 'path')).code).toBe(2)
  })

  test('debug path --watch shows the path again when there is news of it, and ends with Ctrl-C', async () => {
    api.join()
    const peer = api.rig.magicsock.config!.peers[0]!.key
    const look = (isActive: boolean): void => {
      const evidence = { path: { kind: 'relay', region: 999 } as const, noDirect: undefined, latencyMs: undefined, candidates: [], answered: 0, misses: 0, isActive, lostWhy: undefined, isGone: false }
      api.rig.magicsock.pathViews.set(peer as never, { peer, path: evidence.path, latencyMs: undefined, sinceMs: 0, evidence })
    }
    look(false)
    const shown: string[] = []
    const stop = new AbortController()
    const code = main(['--socket', api.socketPath, 'debug', 'path', '--watch', 'n2'], {
      out: (text) => void shown.push(text.split('\n')[0]!), err: () => {}, interrupted: stop.signal,
      system: { platform: 'linux', uid: 1000, home: '/home/x', user: 'x', env: {} },
    })
    await waitFor('the first look', () => shown.length === 1, { withinMs: 30_000 })
    look(true)
    await waitFor('the second', () => {
      api.journal.add({ part: 'path', kind: 'probe-round', peer })
      api.rig.clock.advance(250)
      return shown.length > 1
    }, { withinMs: 30_000 })
    stop.abort()
    expect(await code).toBe(0)
    expect(shown.slice(0, 2)).toEqual(['not tried: no traffic yet, so no direct path was looked for', expect.stringMatching(/^relayed: nothing can be sent to any of the 2 addresses/)])
  })

  test('a name that would steer the terminal is shown harmless', async () => {
    api.join()
    const peer = recorded('02-initial-one-peer.json').Peers![0]!
    api.rig.map({ PeersChanged: [{ ...peer, Name: 'n\u001b[2J\u202e.lab.internal.' }] })
    const { out } = await run('status')
    // eslint-disable-next-line no-control-regex
    expect(out).not.toMatch(/[\u001b\u202e]/)
  })

  test('ip of ourselves, of a device, of nobody', async () => {
    api.join()
    expect(await run('ip')).toEqual({ code: 0, out: '100.64.0.1\nfd7a:115c:a1e0::1\n', err: '' })
    expect((await run('ip', '-4', 'N2')).out).toBe('100.64.0.2\n')
    expect((await run('ip', '-6', '--json', 'n2.lab.internal')).out).toContain('"fd7a:115c:a1e0::2"')
    expect(await run('ip', 'nobody')).toMatchObject({ code: 1, err: expect.stringContaining('nobody') })
    expect((await run('ip', '-4', '-6')).code).toBe(2)
  })

  test('ping says the way; without an answer it ends with 1', async () => {
    api.join()
    expect(await run('ping', 'n2')).toEqual({ code: 0, out: 'answer from n2 (100.64.0.2) direct 127.0.0.1:18112, 0.5 ms\n1 of 1 answered, 0.5 ms; direct 127.0.0.1:18112\n', err: '' })
    api.rig.magicsock.via = { kind: 'relay', region: 999 }
    expect((await run('ping', '-c', '1', 'n2')).out).toContain('relayed, lab')
    expect((await run('ping', '-c', '1', '--until-direct', 'n2')).code).toBe(1)
    expect((await run('ping', '-c', '1', '--tsmp', 'n2')).out).toBe('answer from n2 (100.64.0.2) through the tunnel, 1.5 ms\n1 of 1 answered, 1.5 ms\n')
    api.rig.magicsock.pingFails = new Error('no answer within 10 s')
    expect(await run('ping', '-c', '1', 'n2')).toMatchObject({ code: 1, out: expect.stringContaining('no answer within 10 s') })
    expect((await run('ping', '-c', '1', 'n1')).out).toBe('100.64.0.1 is this device\n')
  })

  test('ping says why packets are relayed, by the sentence that status has', async () => {
    api.join()
    const why = expect.stringMatching(/^relayed: /) as string
    const evidence = { path: { kind: 'relay', region: 999 } as const, noDirect: 'switched-off' as const, latencyMs: undefined, candidates: [], answered: 0, misses: 0, isActive: true, lostWhy: undefined, isGone: false }
    const peer = recorded('02-initial-one-peer.json').Peers![0]!.Key as never
    api.rig.magicsock.pathViews.set(peer, { peer, path: evidence.path, latencyMs: 3, sinceMs: 0, evidence })
    api.rig.magicsock.via = { kind: 'relay', region: 999 }
    expect((await run('ping', '-c', '1', 'n2')).out).toMatch(/^answer from n2 \(100\.64\.0\.2\) relayed, lab, 0\.5 ms\n1 of 1 answered, 0\.5 ms; relayed, lab\nrelayed: .+\n$/)
    const lines = (await run('ping', '-c', '1', '--json', 'n2')).out.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown)
    expect(lines).toEqual([
      expect.objectContaining({ Seq: 1, Type: 'disco', Err: '', DERPRegionCode: 'lab' }),
      { Summary: { Sent: 1, Answered: 1, LostPercent: 0, MinSeconds: 0.000455, AvgSeconds: 0.000455, MaxSeconds: 0.000455, Direct: false, Why: why } },
    ])
  })

  test('ping goes on the moment the path is direct, not a second later', async () => {
    api.join()
    const peer = recorded('02-initial-one-peer.json').Peers![0]!.Key as never
    const path = { kind: 'direct', addr: { ip: '127.0.0.1', port: 18112 } } as const
    const asked: number[] = []
    const ask = api.rig.magicsock.ping.bind(api.rig.magicsock)
    api.rig.magicsock.via = { kind: 'relay', region: 999 }
    api.rig.magicsock.ping = () => {
      asked.push(Date.now())
      if (asked.length > 1) api.rig.magicsock.via = path
      return ask()
    }
    const pinging = run('ping', '--until-direct', 'n2')
    const waits = api.rig.backend.waitDirect.bind(api.rig.backend)
    api.rig.backend.waitDirect = (...words) => {
      const answer = waits(...words)
      api.rig.backend.facts.magicsock.onPath({ peer, path, latencyMs: 1, sinceMs: 0, evidence: { path, noDirect: undefined, latencyMs: 1, candidates: [], answered: 1, misses: 0, isActive: true, lostWhy: undefined, isGone: false } })
      return answer
    }
    expect(await pinging).toMatchObject({ code: 0, out: expect.stringMatching(/relayed, lab.*\n.*direct 127\.0\.0\.1:18112.*\n2 of 2 answered, least .*; direct 127\.0\.0\.1:18112\n$/) })
    expect(asked).toHaveLength(2)
  })

  test('ping --all shows every layer and names the first that does not answer', async () => {
    api.join()
    api.rig.dataplane.dial = () => Promise.reject(new Error('connection refused'))
    expect(await run('ping', '--all', 'n2')).toEqual({
      code: 1,
      out:
        'disco 0.5 ms   tunnel 1.5 ms   ICMP 0.5 ms   PeerAPI -   (direct 127.0.0.1:18112)\n' +
        'disco:   1 of 1 answered, 0.5 ms\ntunnel:  1 of 1 answered, 1.5 ms\nICMP:    1 of 1 answered, 0.5 ms\nPeerAPI: 0 of 1 answered (100 % lost)\n' +
        'The tunnel works, but its PeerAPI does not answer: nothing that goes by it, such as files, works.\n',
      err: '',
    })
    expect((await run('ping', '--all', 'n1')).out).toBe('100.64.0.1 is this device\n')
  })

  test('Ctrl-C ends a ping with its summary', async () => {
    api.join()
    api.rig.magicsock.via = { kind: 'relay', region: 999 }
    const stop = new AbortController()
    let out = ''
    const code = await main(['--socket', api.socketPath, 'ping', '-c', '0', 'n2'], {
      out: (text) => {
        out += text
        if (text.startsWith('answer')) stop.abort()
      },
      err: () => {},
      system: { platform: 'linux', uid: 1000, home: '/home/x', user: 'x', env: {} },
      interrupted: stop.signal,
    })
    expect(code).toBe(0)
    expect(out).toMatch(/\n1 of 1 answered, 0\.5 ms; relayed, lab\n/)
  })

  test.each([
    [['--size', '100', '--tsmp', 'n2'], '--size is for the ordinary ping only'],
    [['--size', '70000', 'n2'], '65467'],
    [['--until-direct', '--icmp', 'n2'], '--until-direct'],
    [['--all', '--tsmp', 'n2'], '--tsmp and --all'],
    [[], 'bowline ping NAME'],
  ])('ping %j is refused with what is wrong', async (words, text) => {
    api.join()
    expect(await run('ping', ...words)).toMatchObject({ code: 2, err: expect.stringContaining(text) })
  })

  test('a device looked for while signed out is not called unknown', async () => {
    for (const words of [['debug', 'path', 'n2'], ['ip', 'n2']]) expect(await run(...words)).toEqual({ code: 7, out: '', err: expect.stringContaining('signed out, so it knows no others') })
  })

  test('ping while signed out says to sign in', async () => {
    expect(await run('ping', 'n2')).toEqual({ code: 7, out: '', err: expect.stringContaining('signed out. Sign in with: bowline up') })
  })

  test('a ping that cannot succeed is asked once', async () => {
    api.join()
    const { code, out } = await run('ping', '100.99.99.99')
    expect([code, out]).toEqual([1, 'no answer from 100.99.99.99: no matching peer\n0 of 1 answered (100 % lost)\n'])
  })

  test('whois names device and person, or says that there is none', async () => {
    api.join()
    expect((await run('whois', '100.64.0.2')).out).toContain('person   alice\n')
    expect(await run('whois', '100.64.0.9')).toMatchObject({ code: 1, err: expect.stringContaining('no device') })
  })

  test('down and logout', async () => {
    api.join()
    expect((await run('down')).code).toBe(0)
    expect((await run('logout')).out).toBe('Signed out.\n')
    expect((await run('logout')).out).toBe('Nobody was signed in.\n')
  })

  test('debug shows prefs, netmap, journal and the bus', async () => {
    api.join()
    expect(JSON.parse((await run('debug', 'prefs')).out)).toMatchObject({ WantRunning: true })
    expect(JSON.parse((await run('debug', 'netmap')).out)).toMatchObject({ Domain: expect.any(String) })
    expect((await run('debug', 'journal')).out).toContain('test/k w')
    expect(JSON.parse((await run('debug', 'watch-ipn', '--mask=2', '--count=1')).out)).toMatchObject({ State: 6 })
    expect((await run('debug')).code).toBe(2)
  })

  test('without an engine every verb ends with 3 and says how to start one', async () => {
    const argv = ['--socket', join(api.socketPath, '..', 'none.sock')]
    for (const verb of ['status', 'up', 'ip', 'down', 'logout', 'netcheck']) {
      expect(await run(verb, ...argv)).toMatchObject({ code: 3, err: expect.stringContaining('bowline daemon') })
    }
  })

  test('a word that is no verb, and no word at all, end with 2; help with 0', async () => {
    expect(await run('sttaus')).toMatchObject({ code: 2, err: expect.stringContaining('Did you mean status?') })
    for (const argv of [['--help'], ['help'], ['help', 'up'], ['up', '--help'], ['daemon', '-h']]) {
      expect(await run(...argv)).toMatchObject({ code: 0, out: expect.stringContaining('Usage: bowline') })
    }
    expect((await run('daemon', '--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect((await run('version', '--daemon')).out).toContain('engine  0.1.0')
  })
})
