/**
 * The engine as a process that stands whatever its start and its surroundings are: signals at any time, streams that
 * break, bare environments, paths that are taken, a thousand connections, little memory.
 */
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../support/child.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { SimControl } from './control/sim-control.ts'
import { Daemon, NODE, PROGRAM, type DaemonStart } from './daemon.ts'

const isLinux = process.platform === 'linux'
const isRoot = process.getuid?.() === 0
const server = new SimControl()
let url: string
beforeAll(async () => {
  url = await server.start()
})
afterAll(() => server.stop())

let dir: string
let daemons: Daemon[] = []
beforeEach(() => {
  dir = makeTempDir('proc')
})
afterEach(async () => {
  for (const daemon of daemons) await daemon.stop('SIGKILL')
  daemons = []
  server.faults.clear()
  removeTempDir(dir)
})

function start(options: Partial<DaemonStart> = {}): Daemon {
  const daemon = new Daemon({ dir, ...options })
  daemons.push(daemon)
  return daemon
}

const key = (): string => server.createAuthKey({ login: 'ada', reusable: true })

/** Files below a folder with their modes, as octal text. */
function modes(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return Object.fromEntries(['.', ...names].map((name) => [name, (statSync(join(folder, name)).mode & 0o777).toString(8)]))
}

describe.runIf(process.platform !== 'win32')('a signal', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s ends it in order, and the sign-in is kept', async (signal) => {
    const connected = await start().ready()
    await connected.join(url, key())
    expect(await connected.stop(signal)).toEqual({ code: 0, signal: null })
    expect(existsSync(connected.socketPath)).toBe(false)
    expect(existsSync(join(dir, 'state', 'engine.lock'))).toBe(false)
    expect(connected.output).not.toMatch(/broken invariant|Error:/)
    const again = await start().ready()
    await waitFor('the sign-in to be kept', async () => (await again.state()) === 'Running', { withinMs: 20_000 })
  }, 60_000)

  test('ends it in order while it starts and while it signs in, too', async () => {
    const starting = start()
    await waitFor('the state to be locked', () => existsSync(join(dir, 'state', 'engine.lock')), { withinMs: 20_000, everyMs: 5 })
    expect(await starting.stop('SIGTERM')).toEqual({ code: 0, signal: null })
    server.faults.add('/machine/register', { kind: 'hold' })
    const signingIn = await start().ready()
    const asked = server.counts.get('/ts2021') ?? 0
    await signingIn.call('POST', 'start', { UpdatePrefs: { ControlURL: url, WantRunning: true }, AuthKey: key() })
    await waitFor('the sign-in to be under way', () => (server.counts.get('/ts2021') ?? 0) > asked, { withinMs: 20_000 })
    expect(await signingIn.stop('SIGTERM')).toEqual({ code: 0, signal: null })
  }, 60_000)
})

describe.runIf(process.platform !== 'win32')('streams', () => {
  test('that nobody reads any more do not end it', { timeout: 60_000 }, async () => {
    const daemon = await start({ flags: ['--verbose=2'] }).ready()
    daemon.process.stdout?.destroy()
    daemon.process.stderr?.destroy()
    await daemon.join(url, key())
    await daemon.call('POST', 'logout')
    expect(await daemon.state()).toBe('NeedsLogin')
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  })

  test('that are closed from the beginning do not hinder it', async () => {
    const daemon = await start({ shell: 'exec "$@" <&- >&- 2>&-', flags: ['--verbose=2'] }).ready()
    await daemon.join(url, key())
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  })
})

describe.runIf(isLinux)('surroundings', () => {
  test('a bare or swollen environment does not hinder it, and files are the user\'s own whatever the umask', async () => {
    const swollen = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`FILL_${i}`, 'x'.repeat(10_000)]))
    const daemon = await start({ shell: 'umask 000; exec "$@"', env: { ...swollen, LANG: 'C' } }).ready()
    await daemon.join(url, key())
    await daemon.stop()
    for (const [name, mode] of Object.entries(modes(join(dir, 'state')))) {
      expect([name, mode]).toEqual([name, lstatSync(join(dir, 'state', name)).isDirectory() ? '700' : '600'])
    }
  })

  test.runIf(isRoot)('a user without a name and without a home runs the engine and the command', async () => {
    chownSync(dir, 54_321, 54_321)
    const daemon = await start({ shell: 'exec setpriv --reuid=54321 --regid=54321 --clear-groups -- "$@"' }).ready()
    const status = await run('setpriv', ['--reuid=54321', '--regid=54321', '--clear-groups', '--', 'env', '-u', 'HOME', NODE, PROGRAM, `--socket=${daemon.socketPath}`, 'status'])
    expect(status.stderr).toBe('')
    expect(status.stdout).toContain('Signed out')
    const lost = await run('setpriv', ['--reuid=54321', '--regid=54321', '--clear-groups', '--', 'env', '-u', 'HOME', NODE, PROGRAM, 'status'])
    expect(lost.code).toBe(3)
    expect(lost.stderr.trim().split('\n')).toHaveLength(1)
  })

  test('a small memory is enough to sign in', async () => {
    const daemon = await start({ nodeFlags: ['--max-old-space-size=48'] }).ready()
    await daemon.join(url, key())
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  })

  test('a thousand connections to its socket leave it answering', async () => {
    const daemon = await start().ready()
    const sockets: Socket[] = []
    for (let i = 0; i < 1000; i++) {
      const socket = connect(daemon.socketPath)
      socket.on('error', () => {})
      sockets.push(socket)
    }
    await waitFor('some to be taken', () => sockets.some((socket) => socket.readyState === 'open'), { withinMs: 10_000 })
    for (const socket of sockets) socket.destroy()
    await waitFor('it to answer', async () => (await daemon.call('GET', 'status')).status === 200, { withinMs: 20_000 })
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  })
})

describe.runIf(isLinux)('a start that cannot be', () => {
  const cases: readonly (readonly [string, (at: string) => DaemonStart['flags'], RegExp])[] = [
    ['a file where the state directory should be', (at) => {
      writeFileSync(join(at, 'state'), 'mine')
      return []
    }, /state directory .* cannot be made.*--statedir/],
    ['a state directory that may not be written', () => ['--statedir=/proc/self'], /state directory \/proc\/self cannot be locked/],
    ['a socket path that is too long', (at) => [`--socket=${at}/${'x'.repeat(120)}`], /longer than the 107 bytes.*--socket/],
    ['a file in the socket\'s place', (at) => {
      writeFileSync(join(at, 's.sock'), 'mine')
      return []
    }, /exists and is not a socket.*--socket/],
    ['a link in the socket\'s place', (at) => {
      writeFileSync(join(at, 'target'), 'mine')
      symlinkSync(join(at, 'target'), join(at, 's.sock'))
      return []
    }, /exists and is not a socket.*--socket/],
    ['a directory in the socket\'s place', (at) => {
      mkdirSync(join(at, 's.sock'))
      return []
    }, /exists and is not a socket.*--socket/],
  ]
  for (const [what, prepare, words] of cases) {
    test(`${what}: one sentence that says what to do, and nothing touched`, async () => {
      const daemon = start({ flags: prepare(dir) ?? [] })
      expect(await daemon.ended).toEqual({ code: 1, signal: null })
      const sentence = daemon.output.trim().split('\n').at(-1)
      expect(sentence).toMatch(/^error: [A-Z/]/)
      expect(sentence).toMatch(words)
      for (const name of ['s.sock', 'target', 'state']) if (existsSync(join(dir, name)) && statSync(join(dir, name)).isFile()) expect(readFileSync(join(dir, name), 'utf8')).toBe('mine')
    })
  }

  test('a port that is taken: the proxy says so, the socket for devices takes another', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as { port: number }
    const daemon = start({ flags: [`--socks5-server=127.0.0.1:${port}`] })
    expect(await daemon.ended).toEqual({ code: 1, signal: null })
    expect(daemon.output).toMatch(new RegExp(`${port}.*(taken|in use)`))
    taken.close()
  })

  test.runIf(isRoot)('a state directory of somebody else is left alone and named', async () => {
    mkdirSync(join(dir, 'state'))
    chmodSync(join(dir, 'state'), 0o500)
    const daemon = start({ shell: 'exec setpriv --reuid=54321 --regid=54321 --clear-groups -- "$@"' })
    expect(await daemon.ended).toEqual({ code: 1, signal: null })
    expect(daemon.output).toMatch(/state directory .*state cannot be .*--statedir/)
  })
})
