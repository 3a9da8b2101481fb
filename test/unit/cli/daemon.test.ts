import { describe, expect, test } from 'vitest'
import { parseFlags } from '../../../main/cli/flags.ts'
import { defaultSocket, defaultStateDir, engineToUse, type Looks } from '../../../main/cli/paths.ts'
import type { System } from '../../../main/cli/paths.ts'
import { daemon, daemonOptions } from '../../../main/cli/verbs/daemon.ts'

const ROOT: System = { platform: 'linux', uid: 0, home: '/root', user: 'root', env: {} }
const USER: System = { platform: 'linux', uid: 1000, home: '/home/mateo', user: 'mateo', env: { XDG_RUNTIME_DIR: '/run/user/1000' } }
const options = (...argv: string[]): ReturnType<typeof daemonOptions> => daemonOptions(parseFlags(argv, daemon.flags, 'daemon'), USER)

describe('daemon flags', () => {
  test('without any, everything is the user\'s own', () => {
    expect(options()).toEqual({
      stateDir: '/home/mateo/.local/state/bowline', statePath: undefined, socketPath: '/run/user/1000/bowline/bowlined.sock', port: 0,
      socks5: undefined, httpProxy: undefined, defaultProxies: true, configPath: undefined, verbose: 0, debug: undefined, noLogsNoSupport: false,
    })
  })

  test("are tailscaled's, with one dash or two", () => {
    expect(options('--tun=userspace-networking', '-statedir=/s', '--socket', '/s/x.sock', '--port=41641', '--socks5-server=localhost:1055', '--outbound-http-proxy-listen=127.0.0.1:1056', '--verbose=1', '--no-logs-no-support')).toMatchObject({
      stateDir: '/s', socketPath: '/s/x.sock', port: 41641, socks5: { ip: '127.0.0.1', port: 1055 }, httpProxy: { ip: '127.0.0.1', port: 1056 }, verbose: 1, noLogsNoSupport: true,
    })
  })

  test('a state file alone puts the directory beside it; mem: keeps nothing', () => {
    expect(options('--state=/x/y.state')).toMatchObject({ stateDir: '/x', statePath: '/x/y.state' })
    expect(options('--state=mem:')).toMatchObject({ statePath: 'mem:' })
  })

  test.each([['--socks5-server=off'], ['--outbound-http-proxy-listen=off'], ['--socks5-server=:1055'], ['--outbound-http-proxy-listen=:1056']])('with %s nothing is served that was not named', (flag) => {
    const { socks5, httpProxy, defaultProxies } = options(flag)
    expect({ socks5: socks5?.port, http: httpProxy?.port, defaultProxies }).toEqual({ socks5: flag.startsWith('--s') && !flag.endsWith('off') ? 1055 : undefined, http: flag.endsWith('1056') ? 1056 : undefined, defaultProxies: false })
  })

  test.each([
    [':1055', '127.0.0.1'],
    ['1055', '127.0.0.1'],
    ['0.0.0.0:1055', '0.0.0.0'],
    ['[::1]:1055', '::1'],
  ])('a proxy at %s listens on %s', (text, ip) => {
    expect(options(`--socks5-server=${text}`).socks5).toEqual({ ip, port: 1055 })
  })

  test.each([
    ['--tun=a/b', 'name of a device'],
    ['--config=vm:user-data', "give a file's path"],
    ['--debug=localhost:1', 'not served yet'],
    ['--bird-socket=/x', 'not served'],
    ['--port=70000', '65535'],
    ['--socks5-server=nowhere', 'localhost:1055'],
    ['surplus', 'flags only'],
    ['--operator=anna', 'go with --service'],
  ])('%s gets a clear sentence', (argument, words) => {
    expect(() => options(argument)).toThrow(expect.objectContaining({ exitCode: 2, message: expect.stringContaining(words) }))
  })
})

describe('the usual places', () => {
  test('of root are the system\'s', () => {
    expect([defaultSocket(ROOT), defaultStateDir(ROOT)]).toEqual(['/run/bowline/bowline.sock', '/var/lib/bowline'])
  })

  test('without a runtime directory the socket lies with the state', () => {
    expect(defaultSocket({ ...USER, env: {} })).toBe('/home/mateo/.local/state/bowline/bowlined.sock')
  })

  const SERVICE = '/run/bowline/bowline.sock'
  const OWN = '/run/user/1000/bowline/bowlined.sock'
  const use = (answering: readonly string[], { installed = false, own = false, socket = '', env = USER.env } = {}): Promise<unknown> => {
    const looks: Looks = { isInstalled: () => installed, answers: async (path) => answering.includes(path) }
    return engineToUse({ ...USER, env }, { socket, own }, looks)
  }

  test('a user speaks with the service where it answers, else with an engine of their own', async () => {
    expect(await use([SERVICE, OWN])).toEqual({ socketPath: SERVICE, kind: 'service' })
    expect(await use([OWN])).toEqual({ socketPath: OWN, kind: 'own' })
    expect(await use([])).toEqual({ socketPath: OWN, kind: 'own' })
  })

  test('a service that is installed and down is spoken of, unless an engine of their own answers', async () => {
    expect(await use([], { installed: true })).toEqual({ socketPath: SERVICE, kind: 'service' })
    expect(await use([OWN], { installed: true })).toEqual({ socketPath: OWN, kind: 'own' })
  })

  test('--own and a named socket go before the service', async () => {
    expect(await use([SERVICE, OWN], { own: true })).toEqual({ socketPath: OWN, kind: 'own' })
    expect(await use([SERVICE], { socket: '/a', env: { BOWLINE_SOCKET: '/b' } })).toEqual({ socketPath: '/a', kind: 'named' })
    expect(await use([SERVICE], { env: { BOWLINE_SOCKET: '/b' } })).toEqual({ socketPath: '/b', kind: 'named' })
  })
})
