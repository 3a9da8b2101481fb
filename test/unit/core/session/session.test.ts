import { describe, expect, test } from 'vitest'
import { PrivateKey } from '../../../../main/engine/base/keys.ts'
import { backoffMs } from '../../../../main/engine/core/session/backoff.ts'
import { Session, STREAM_SILENCE_MS } from '../../../../main/engine/core/session/session.ts'
import type { ControlState, Failure, Login, Outcome, SessionAction, SessionEvent } from '../../../../main/engine/core/session/types.ts'
import type { RegisterResponse } from '../../../../main/engine/core/tailcfg/types.ts'

const saved = PrivateKey.fromRandom(new Uint8Array(32).fill(9))
const user = { ID: 1, LoginName: 'alice', DisplayName: 'alice' }
const answer = (more: Partial<RegisterResponse> = {}): Outcome => ({
  kind: 'registered',
  response: { User: { ID: 1 }, Login: { ID: 1, LoginName: 'alice' }, NodeKeyExpired: false, MachineAuthorized: true, AuthURL: '', ...more },
})
const failed = (failure: Partial<Failure> = {}): Outcome => ({ kind: 'failed', failure: { code: 'control-unreachable', message: 'no way', ...failure } })

/** A session with a clock in hand, and what it asked for. */
class Bench {
  nowMs = 0
  keys = 0
  readonly session = new Session({ unit: () => 0.5, newKey: () => PrivateKey.fromRandom(new Uint8Array(32).fill(++this.keys)) })
  readonly events: SessionEvent[] = []
  readonly actions: SessionAction[] = []

  begin(login: Partial<Login> = {}, sameServer = false): this {
    this.session.handleBegin(this.nowMs, { controlUrl: 'https://c.example', nodeKey: undefined, interactive: false, ...login }, sameServer)
    return this.#collect()
  }

  /** Answers the newest action, which must be of this kind. */
  reply(kind: SessionAction['kind'], outcome: Outcome): this {
    const action = this.last
    expect(action.kind).toBe(kind)
    if ('id' in action) this.session.handleOutcome(this.nowMs, action.id, outcome)
    return this.#collect()
  }

  connect(): this {
    if (this.last.kind === 'fetch-server-key') this.reply('fetch-server-key', { kind: 'server-key' })
    return this.reply('connect', { kind: 'connected' })
  }

  frame(map = true): this {
    const action = this.actions.findLast((past) => past.kind === 'open-stream')
    if (action?.kind === 'open-stream') this.session.handleStreamData(this.nowMs, action.id, map ? { user, expired: false } : undefined)
    return this.#collect()
  }

  wait(ms: number): this {
    const endMs = this.nowMs + ms
    for (let due = this.session.nextTimeout(); due && due.atMs <= endMs; due = this.session.nextTimeout()) {
      this.nowMs = Math.max(this.nowMs, due.atMs)
      this.session.handleTimeout(this.nowMs)
      this.#collect()
      if (this.actions.length > 10_000) throw new Error('the session spins')
    }
    this.nowMs = endMs
    return this
  }

  do(call: (session: Session) => void): this {
    call(this.session)
    return this.#collect()
  }

  #collect(): this {
    this.actions.push(...this.session.takeActions())
    this.events.push(...this.session.takeEvents())
    return this
  }

  get last(): SessionAction {
    return this.actions.findLast((action) => action.kind !== 'cancel' && action.kind !== 'disconnect')!
  }

  get state(): ControlState {
    return this.events.findLast((event) => event.kind === 'state')!.state
  }

  get steps(): string[] {
    return this.events.flatMap((event) => (event.kind === 'state' ? [event.state.kind === 'working' ? event.state.step : event.state.kind] : [event.kind]))
  }

  count(kind: SessionAction['kind']): number {
    return this.actions.filter((action) => action.kind === kind).length
  }
}

const running = (login: Partial<Login> = { nodeKey: saved }): Bench => new Bench().begin(login).connect().frame()

describe('the way to running', () => {
  test('with an auth key: key, connection, registration, map', () => {
    const bench = new Bench().begin({ authKey: 'k' }).connect().reply('register', answer()).frame()
    expect(bench.steps).toEqual(['fetch-server-key', 'connect', 'register', 'logged-in', 'authorised', 'wait-for-map', 'running'])
    expect(bench.actions.find((action) => action.kind === 'register')).toMatchObject({ authKey: 'k', followup: '' })
  })

  test('with a saved key: straight to the map, and the login is told once, from the map', () => {
    const bench = running()
    expect(bench.count('register')).toBe(0)
    expect(bench.events.filter((event) => event.kind === 'logged-in')).toEqual([{ kind: 'logged-in', nodeKey: saved, user, expired: false }])
    bench.frame().frame()
    expect(bench.events.filter((event) => event.kind === 'logged-in')).toHaveLength(1)
  })

  test('with a saved key and an auth key the saved key is registered first', () => {
    const bench = new Bench().begin({ nodeKey: saved, authKey: 'k' }).connect()
    expect(bench.last).toMatchObject({ kind: 'register', nodeKey: saved, oldNodeKey: undefined })
  })

  test('by link: a new key, the link, the wait, success', () => {
    const bench = new Bench().begin({ nodeKey: saved, interactive: true }).connect()
    expect(bench.last).toMatchObject({ kind: 'register', oldNodeKey: saved, followup: '' })
    bench.reply('register', answer({ AuthURL: 'https://c.example/register/1' }))
    expect(bench.state).toMatchObject({ kind: 'waiting', authUrl: 'https://c.example/register/1' })
    expect(bench.last).toMatchObject({ kind: 'register', followup: 'https://c.example/register/1', authKey: undefined })
    bench.wait(3_600_000)
    expect(bench.state.kind).toBe('waiting')
    bench.reply('register', answer()).frame()
    expect(bench.state.kind).toBe('running')
  })
})

describe('links', () => {
  const waiting = (): Bench => new Bench().begin({ interactive: true }).connect().reply('register', answer({ AuthURL: 'https://c.example/register/1' }))

  const another = answer({ AuthURL: 'https://c.example/register/2' })

  test('a link that ran out is replaced, and its age is told', () => {
    const bench = waiting().wait(15 * 60_000).reply('register', another)
    expect(bench.state).toMatchObject({ kind: 'waiting', authUrl: 'https://c.example/register/2', why: expect.stringContaining('within 15 minutes') })
    expect(bench.last).toMatchObject({ followup: 'https://c.example/register/2' })
  })

  test('a link that ended before its time was perhaps refused: there is another, with the reason, but not for ever', () => {
    const bench = waiting()
    for (let n = 2; n <= 4; n++) {
      bench.wait(50_000).reply('register', answer({ AuthURL: `https://c.example/register/${n}` }))
      expect(bench.state).toMatchObject({ kind: 'waiting', problem: { code: 'login-refused', message: expect.stringContaining('after 50 s') } })
    }
    bench.wait(50_000).reply('register', answer({ AuthURL: 'https://c.example/register/5' }))
    expect(bench.state).toMatchObject({ kind: 'needs-login', code: 'login-refused' })
    expect(bench.session.nextTimeout()).toBeUndefined()
  })

  test('a link that a restarted server no longer knows is replaced, and that is told', () => {
    const bench = waiting().wait(60_000).reply('register', failed()).wait(1000).connect().reply('register', another)
    expect(bench.state).toMatchObject({ kind: 'waiting', authUrl: 'https://c.example/register/2', why: expect.stringContaining('restarted') })
  })

  test.each([
    ['by 404', failed({ code: 'control-not-found', status: 404, message: 'not found' })],
    ['by 500', failed({ status: 500, message: 'register: the control server answered HTTP 500: node not found in registration cache' })],
    ['in words', answer({ Error: 'node not found in registration cache' })],
  ])('a link that the server says it does not know (%s) leads to a registration for a new one, with the same key', (_, outcome) => {
    const bench = waiting()
    const { nodeKey } = bench.last as { nodeKey: PrivateKey }
    bench.reply('register', outcome).wait(1000).connect()
    expect(bench.last).toMatchObject({ kind: 'register', followup: '', nodeKey })
    bench.reply('register', another)
    expect(bench.state).toMatchObject({ kind: 'waiting', authUrl: 'https://c.example/register/2' })
  })

  test('nobody is waited for longer than two hours, however many links the server makes', () => {
    const bench = waiting()
    for (let n = 2; bench.state.kind === 'waiting' && n < 100; n++) bench.wait(15 * 60_000).reply('register', answer({ AuthURL: `https://c.example/register/${n}` }))
    expect(bench.state).toMatchObject({ kind: 'needs-login', code: 'login-unapproved' })
    expect(bench.nowMs).toBeLessThanOrEqual(2 * 3_600_000 + 15 * 60_000)
  })

  test('a server that forgets every link at once is not asked for ever', () => {
    const bench = waiting()
    for (let n = 2; bench.state.kind !== 'needs-login' && n < 400; n++) {
      bench.reply('register', failed({ code: 'control-not-found', status: 404 })).wait(60_000).connect()
      bench.reply('register', answer({ AuthURL: `https://c.example/register/${n}` }))
    }
    expect(bench.state).toMatchObject({ kind: 'needs-login', code: 'login-unapproved' })
  })

  test('the age of a link counts from when it was given, not from when its wait was taken up again', () => {
    const bench = waiting().wait(60_000).reply('register', failed()).wait(1000).connect()
    expect(bench.state).toMatchObject({ kind: 'waiting', sinceMs: 0 })
  })

  test('a broken wait is taken up again with the same link and key, and stays on screen', () => {
    const bench = waiting()
    const before = bench.last
    bench.reply('register', failed()).wait(1000).connect()
    expect(bench.last).toMatchObject({ kind: 'register', followup: 'https://c.example/register/1', nodeKey: (before as { nodeKey: PrivateKey }).nodeKey })
    expect(bench.steps).not.toContain('lost')
  })

  test('the same link again and again is asked ever more slowly', () => {
    const bench = waiting()
    for (let i = 0; i < 40; i++) {
      bench.reply('register', answer({ AuthURL: 'https://c.example/register/1' }))
      const due = bench.session.nextTimeout()!
      bench.wait(due.atMs - bench.nowMs).connect()
    }
    expect(bench.nowMs).toBeGreaterThan(100_000)
  })

  test('a link that is no web address, or http where control is https, is not shown', () => {
    for (const url of ['javascript:alert(1)', 'file:///etc/passwd', 'http://c.example/x', 'https://a b/', 'https://x\n.example/', 'https:///x']) {
      const bench = new Bench().begin({ interactive: true }).connect().reply('register', answer({ AuthURL: url }))
      expect(bench.state).toMatchObject({ kind: 'failed', code: 'control-bad-response' })
      expect(bench.steps).not.toContain('waiting')
    }
    const plain = new Bench().begin({ interactive: true, controlUrl: 'http://127.0.0.1:8080' }).connect().reply('register', answer({ AuthURL: 'http://127.0.0.1:8080/register/x' }))
    expect(plain.state.kind).toBe('waiting')
  })
})

test('a link to another place than the server is not shown, and the place is named', () => {
  for (const url of ['https://evil.example/register/1', 'https://c.example@evil.example/', 'https://c.example.evil.example/x', 'https://evilc.example/x']) {
    const bench = new Bench().begin({ interactive: true }).connect().reply('register', answer({ AuthURL: url }))
    expect(bench.state).toMatchObject({ kind: 'failed', code: 'login-elsewhere', message: expect.stringContaining('evil') })
    expect(bench.steps).not.toContain('waiting')
  }
})

describe('refusals', () => {
  test('a refused auth key ends it with the server\'s words and without the key', () => {
    const bench = new Bench().begin({ authKey: 'secret-key' }).connect().reply('register', answer({ Error: 'authkey secret-key expired' }))
    expect(bench.state).toEqual({ kind: 'failed', code: 'auth-key-invalid', message: 'authkey [auth key] expired' })
    expect(bench.session.nextTimeout()).toBeUndefined()
    bench.wait(3_600_000)
    expect(bench.count('register')).toBe(1)
  })

  test('any other refusal is shown and tried again, and ends the login when it lasts', () => {
    const bench = new Bench().begin({ interactive: true }).connect()
    const refusal = answer({ Error: 'database is locked' })
    bench.reply('register', refusal)
    expect(bench.state).toMatchObject({ kind: 'lost', code: 'control-refused', message: 'database is locked' })
    for (let n = 0; bench.state.kind !== 'failed' && n < 100; n++) bench.wait(bench.session.nextTimeout()!.atMs - bench.nowMs).connect().reply('register', refusal)
    expect(bench.state).toMatchObject({ kind: 'failed', code: 'control-refused' })
    expect(bench.nowMs).toBeGreaterThanOrEqual(10_000)
    expect(bench.nowMs).toBeLessThan(60_000)
  })

  test('what nobody waits for is tried for ever', () => {
    const bench = new Bench().begin({ nodeKey: saved })
    const refusal = failed({ code: 'control-tls', message: 'its certificate has expired' })
    for (let n = 0; n < 100; n++) {
      bench.reply('fetch-server-key', refusal)
      expect(bench.state).toMatchObject({ kind: 'lost', code: 'control-tls' })
      bench.wait(bench.session.nextTimeout()!.atMs - bench.nowMs)
    }
  })

  test('a key that the server knows as that of another machine is replaced when somebody waits, else told', () => {
    const refusal = answer({ Error: 'node key already in use by another machine' })
    const asked = new Bench().begin({ nodeKey: saved, authKey: 'k' }).connect().reply('register', refusal)
    expect(asked.last).toMatchObject({ kind: 'register', oldNodeKey: saved, authKey: 'k' })
    asked.reply('register', refusal)
    expect(asked.state).toMatchObject({ kind: 'needs-login', code: 'device-mismatch' })
    const unasked = new Bench().begin({ nodeKey: saved }).connect().reply('open-stream', failed({ status: 404 })).wait(100).connect().reply('register', refusal)
    expect(unasked.state).toMatchObject({ kind: 'needs-login', code: 'device-mismatch' })
  })

  test('an expired key gets a new one once; a second expiry ends it', () => {
    const bench = new Bench().begin({ nodeKey: saved, authKey: 'k' }).connect().reply('register', answer({ NodeKeyExpired: true }))
    expect(bench.last).toMatchObject({ kind: 'register', oldNodeKey: saved, authKey: 'k' })
    bench.reply('register', answer({ NodeKeyExpired: true }))
    expect(bench.state.kind).toBe('needs-login')
    expect(bench.keys).toBe(1)
  })

  test('a node that was removed asks for a login; with an auth key at hand it registers', () => {
    const bench = new Bench().begin({ nodeKey: saved }).connect().reply('open-stream', failed({ code: 'control-not-found', status: 404 })).wait(100).connect()
    expect(bench.last).toMatchObject({ kind: 'register', nodeKey: saved, authKey: undefined })
    bench.reply('register', answer({ AuthURL: 'https://c.example/r' }))
    expect(bench.state).toMatchObject({ kind: 'needs-login', code: 'control-not-found' })
    expect(bench.session.nextTimeout()).toBeUndefined()
  })

  test('a spent auth key is not used again when the node is removed later', () => {
    const bench = new Bench().begin({ authKey: 'k' }).connect().reply('register', answer()).frame().wait(20_000)
    bench.reply('open-stream', failed({ code: 'control-not-found', status: 404 })).connect()
    expect(bench.last).toMatchObject({ kind: 'register', authKey: undefined })
  })

  test('an unsupported version by HTTP ends it, a connection closed in the handshake does not', () => {
    const refused = new Bench().begin({ nodeKey: saved }).connect().reply('open-stream', failed({ code: 'control-version', status: 400 }))
    expect(refused.state).toMatchObject({ kind: 'failed', code: 'control-version' })
    const closed = new Bench().begin({ nodeKey: saved }).reply('fetch-server-key', { kind: 'server-key' }).reply('connect', failed({ code: 'control-version' }))
    expect(closed.state.kind).toBe('lost')
    expect(closed.wait(100).last.kind).toBe('fetch-server-key')
  })

  test('a rate limit is waited out as the server says, else 5 to 10 s', () => {
    const said = new Bench().begin({ authKey: 'k' }).connect().reply('register', failed({ code: 'control-rate-limited', status: 429, retryAfterMs: 7000 }))
    expect(said.state).toMatchObject({ kind: 'lost', retryInMs: 7000 })
    const unsaid = new Bench().begin({ authKey: 'k' }).connect().reply('register', failed({ code: 'control-rate-limited', status: 429 }))
    expect(unsaid.state).toMatchObject({ kind: 'lost', retryInMs: 7500 })
  })
})

describe('a server with another key', () => {
  const swapped = (): Bench => running().wait(20_000).reply('open-stream', { kind: 'stream-ended', why: 'x' })
    .reply('connect', failed({ code: 'control-key-mismatch' })).wait(100).reply('fetch-server-key', { kind: 'server-key', changed: true })

  test('is told, and the saved key is kept: it may be the same server', () => {
    const bench = swapped()
    expect(bench.state).toMatchObject({ kind: 'working', why: expect.stringContaining('another key') })
    bench.connect().frame()
    expect(bench.state.kind).toBe('running')
    expect(bench.keys).toBe(0)
  })

  test('that does not know this device was set up anew', () => {
    const bench = swapped().connect().reply('open-stream', failed({ status: 404 })).wait(100).connect().reply('register', answer({ AuthURL: 'https://c.example/r' }))
    expect(bench.state).toMatchObject({ kind: 'needs-login', code: 'control-not-found', why: expect.stringContaining('set up anew') })
  })
})

describe('the first map', () => {
  test('is waited for 30 s after a login, then asked for again, ever longer', () => {
    const bench = new Bench().begin({ authKey: 'k' }).connect().reply('register', answer())
    const started = bench.nowMs
    bench.wait(29_000)
    expect(bench.count('open-stream')).toBe(1)
    bench.wait(2000)
    expect(bench.events.some((event) => event.kind === 'state' && event.state.kind === 'lost' && /no list of devices/.test(event.state.message))).toBe(true)
    bench.connect()
    expect(bench.count('open-stream')).toBe(2)
    expect(bench.session.nextTimeout()!.atMs - bench.nowMs).toBe(60_000)
    expect(bench.count('register')).toBe(1)
    expect(started).toBe(0)
  })

  test('that is on its way is waited for', () => {
    const bench = new Bench().begin({ authKey: 'k' }).connect().reply('register', answer()).wait(29_000).frame(false).wait(100_000)
    expect(bench.count('open-stream')).toBe(1)
  })
})

describe('losses', () => {
  test('a lost answer to a registration is asked for again with the same key', () => {
    const bench = new Bench().begin({ authKey: 'k' }).connect()
    const first = bench.last
    bench.reply('register', failed()).wait(100).connect()
    expect(bench.last).toMatchObject({ kind: 'register', nodeKey: (first as { nodeKey: PrivateKey }).nodeKey, authKey: 'k' })
    expect(bench.keys).toBe(1)
  })

  test('an answer that never comes is given up, with the connection', () => {
    const bench = new Bench().begin({ authKey: 'k' }).connect().wait(46_000)
    expect(bench.state.kind).not.toBe('running')
    expect(bench.actions.slice(-3).map((action) => action.kind)).toEqual(['cancel', 'disconnect', 'connect'])
  })

  test('a stream that ran well is opened again at once', () => {
    const bench = running().wait(60_000).frame(false).reply('open-stream', { kind: 'stream-ended', why: 'restart' })
    expect(bench.state).toMatchObject({ kind: 'working', step: 'connect' })
    expect(bench.steps.slice(-2)).toEqual(['lost', 'connect'])
    expect(bench.count('fetch-server-key')).toBe(1)
  })

  test('streams that end at once are opened ever more slowly', () => {
    const bench = new Bench().begin({ nodeKey: saved })
    for (let i = 0; i < 60; i++) {
      bench.connect().frame().reply('open-stream', { kind: 'stream-ended', why: 'x' })
      bench.wait(bench.session.nextTimeout()!.atMs - bench.nowMs)
    }
    expect(bench.nowMs).toBeGreaterThan(150_000)
  })

  test('however often the server was restarted, who was connected a moment ago is back within seconds of the last time', () => {
    const bench = new Bench().begin({ nodeKey: saved })
    for (let i = 0; i < 200; i++) {
      bench.connect().frame().wait(3000).reply('open-stream', { kind: 'stream-ended', why: 'x' })
      bench.wait(bench.session.nextTimeout()!.atMs - bench.nowMs)
    }
    bench.connect().frame().wait(3000).reply('open-stream', { kind: 'stream-ended', why: 'x' })
    expect(bench.session.nextTimeout()!.atMs - bench.nowMs).toBeLessThan(10_000)
  })

  test('120 s of silence end the stream, every frame puts it off, and a server may ask for a pause', () => {
    const bench = running().wait(STREAM_SILENCE_MS - 1).frame(false).wait(STREAM_SILENCE_MS - 1)
    expect(bench.state.kind).toBe('running')
    const id = (bench.last as { id: number }).id
    bench.do((session) => session.handleStreamSleep(bench.nowMs, id, 100_000)).wait(STREAM_SILENCE_MS + 99_000)
    expect(bench.state.kind).toBe('running')
    bench.wait(1000)
    expect(bench.actions).toContainEqual({ kind: 'cancel', id })
    expect(bench.actions.at(-2)).toMatchObject({ kind: 'disconnect' })
  })

  test('a server that is down for an hour is found soon after it comes back', () => {
    const bench = running().wait(20_000).reply('open-stream', { kind: 'stream-ended', why: 'x' })
    const startMs = bench.nowMs
    while (bench.nowMs - startMs < 3_600_000) {
      bench.reply('connect', failed())
      bench.wait(bench.session.nextTimeout()!.atMs - bench.nowMs)
    }
    expect(bench.state).toMatchObject({ kind: 'working', step: 'connect' })
    expect(bench.count('connect')).toBeLessThan(300)
    expect(bench.session.nextTimeout()!.atMs - bench.nowMs).toBeLessThanOrEqual(70_000)
    bench.connect().frame()
    expect(bench.state.kind).toBe('running')
  })

  test('a changed server key is fetched again', () => {
    const bench = running().wait(20_000).reply('open-stream', { kind: 'stream-ended', why: 'x' }).reply('connect', failed({ code: 'control-key-mismatch' })).wait(100)
    expect(bench.last.kind).toBe('fetch-server-key')
  })

  test('answers to cancelled actions are not heard', () => {
    const bench = new Bench().begin({ authKey: 'k' }).connect()
    const old = bench.last as { id: number }
    bench.begin({ nodeKey: saved })
    bench.do((session) => session.handleOutcome(bench.nowMs, old.id, answer({ Error: 'x' })))
    expect(bench.state.kind).toBe('working')
    expect(bench.actions).toContainEqual({ kind: 'cancel', id: old.id })
  })
})

describe('changes of mind', () => {
  test('a new login keeps the old stream until its own first map', () => {
    const bench = running()
    const old = (bench.last as { id: number }).id
    bench.begin({ nodeKey: saved, interactive: true }, true)
    expect(bench.actions).not.toContainEqual({ kind: 'cancel', id: old })
    bench.connect().reply('register', answer({ AuthURL: 'https://c.example/r' })).reply('register', answer())
    expect(bench.actions).not.toContainEqual({ kind: 'cancel', id: old })
    bench.frame()
    expect(bench.actions).toContainEqual({ kind: 'cancel', id: old })
  })

  test.each([
    ['is refused in words', answer({ Error: 'different machine' })],
    ['leads elsewhere', answer({ AuthURL: 'https://evil.example/' })],
  ])('a renewal that %s gives the session before back, stream and all', (_, outcome) => {
    const bench = running()
    const old = (bench.last as { id: number }).id
    bench.begin({ nodeKey: saved, interactive: true }, true).connect().reply('register', answer({ AuthURL: 'https://c.example/1' })).reply('register', outcome)
    expect(bench.steps.slice(-2)[1]).toBe('running')
    expect(['failed', 'needs-login']).toContain(bench.steps.at(-2))
    expect(bench.state).toMatchObject({ kind: 'running', problem: { code: expect.stringMatching(/^(login|device)-/) } })
    expect(bench.actions).not.toContainEqual({ kind: 'cancel', id: old })
    bench.do((session) => session.handleOutcome(bench.nowMs, old, { kind: 'stream-ended', why: 'x' })).wait(1000).connect()
    expect(bench.last).toMatchObject({ kind: 'open-stream', nodeKey: saved })
  })

  test('a renewal that fails after the stream before has ended opens that again', () => {
    const bench = running()
    const old = (bench.last as { id: number }).id
    bench.begin({ nodeKey: saved, interactive: true }, true).connect().reply('register', answer({ AuthURL: 'https://c.example/1' }))
    bench.do((session) => session.handleOutcome(bench.nowMs, old, { kind: 'stream-ended', why: 'x' }))
    bench.reply('register', answer({ AuthURL: 'https://evil.example/2' })).connect()
    expect(bench.last).toMatchObject({ kind: 'open-stream', nodeKey: saved })
    bench.frame()
    expect(bench.state.kind).toBe('running')
  })

  test('another server ends everything of the old one', () => {
    const bench = running()
    const old = (bench.last as { id: number }).id
    bench.begin({ nodeKey: saved, interactive: true }, false)
    expect(bench.actions).toContainEqual({ kind: 'cancel', id: old })
    expect(bench.last.kind).toBe('fetch-server-key')
  })

  test('a reconnect starts at once and does not register', () => {
    const bench = running().do((session) => session.handleReconnect(5, 'woke up'))
    expect(bench.state).toMatchObject({ kind: 'working', step: 'connect', why: 'woke up' })
    expect(bench.actions.map((action) => action.kind)).toContain('disconnect')
    bench.connect().frame()
    expect(bench.count('register')).toBe(0)
  })

  test('a reconnect that doubts the server asks for its key first', () => {
    const bench = running().do((session) => session.handleReconnect(5, 'its certificate is trusted no more', true))
    expect(bench.state).toMatchObject({ kind: 'working', step: 'fetch-server-key' })
  })

  test('stopping leaves nothing behind, and a reconnect then does nothing', () => {
    const bench = running().do((session) => session.handleStop())
    expect(bench.state.kind).toBe('idle')
    const actions = bench.actions.length
    bench.do((session) => session.handleReconnect(9, 'x')).wait(1_000_000)
    expect(bench.actions).toHaveLength(actions)
  })
})

test('the back-off grows with the square and stays within its bounds', () => {
  expect(backoffMs(1, 0)).toBe(5)
  expect(backoffMs(10, 0.5)).toBe(1000)
  expect(backoffMs(1000, 0)).toBe(15_000)
  expect(backoffMs(1000, 0.999)).toBeLessThan(45_000)
})
