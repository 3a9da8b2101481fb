/**
 * Our own command against a real engine and a real server: a newcomer's first hour, every verb as text and as JSON, and
 * several accounts.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { Child, run } from '../support/child.ts'
import type { RunResult } from '../support/child.ts'
import { freeTcpPort } from '../support/ports.ts'
import { waitFor } from '../support/wait.ts'
import { ALLOW_ALL, Headscale } from './lab/headscale.ts'
import type { Lab } from './lab/lab.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const NODE = `${root}node_modules/.bin/node`
const COMMAND = `${root}build/scripts/bowline.mjs`

let ours: LabNode
let real: LabNode

/** A verb that goes on, as a process. */
function going(...words: string[]): Child {
  return new Child({ name: `bowline ${words.join(' ')}`, command: NODE, args: [COMMAND, `--socket=${ours.api.socketPath}`, ...words] })
}

async function json(...words: string[]): Promise<{ code: number | null; value: Record<string, unknown> }> {
  const { code, stdout, stderr } = await ours.bowline(...words, '--json')
  try {
    return { code, value: JSON.parse(stdout) as Record<string, unknown> }
  } catch {
    throw new Error(`bowline ${words.join(' ')} --json printed no JSON (status ${String(code)}): ${stdout}${stderr}`)
  }
}

const LINK = /http:\/\/\S+\/register\/\S+/

describe("a newcomer's first hour", () => {
  labSuite(
    'walk',
    {},
    async (lab) => {
      real = await lab.join('tailscaled', 'real')
    },
    (lab) => {
      /** With the socket named by the environment, as a person who has set it once. */
      const type = (...words: string[]): Promise<RunResult> => run(NODE, [COMMAND, ...words], { timeoutMs: 60_000, env: { BOWLINE_SOCKET: join(lab().folder, 'run', 'ours') } })

      test('the bare command says where to begin', async () => {
        const { code, stdout } = await type()
        expect(code).toBe(2)
        expect(stdout).toContain('bowline daemon\n  bowline up --login-server')
      })

      test('without an engine it is said how to start one', async () => {
        expect(await type('status')).toMatchObject({ code: 3, stdout: '', stderr: expect.stringContaining('Start one with: bowline daemon') })
        ours = await lab().add('bowline', 'ours')
      })

      test('status says that nobody is signed in, and what to type', async () => {
        expect(await type('status')).toMatchObject({ code: 7, stdout: expect.stringMatching(/^Signed out\. Sign in with: bowline up --login-server URL\n/) })
      })

      test('up without a server asks for it, and slips of the finger are named', async () => {
        expect(await type('up')).toMatchObject({ code: 2, stderr: expect.stringContaining('Which server?') })
        expect(await type('pu')).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean up?') })
        expect(await type('up', '--login-sever=x')).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean --login-server?') })
        expect(await type('up', '--login-server=headscale.example.com')).toMatchObject({ code: 2, stderr: expect.stringContaining('https://headscale.example.com') })
      })

      test('an unreachable server is named with the next step, and --timeout ends with 6', async () => {
        const { code, stderr } = await type('up', `--login-server=http://127.0.0.1:${await freeTcpPort()}`, '--timeout=2s')
        expect(code).toBe(6)
        expect(stderr).toMatch(/Not connected within 2s\. .*127\.0\.0\.1.*(bowline|tried again)/)
        expect(stderr).not.toMatch(/^\s+at /m)
      })

      test('up shows the steps and a link; Ctrl-C ends with 130 and says how things stand', async () => {
        const up = going('up', `--login-server=${lab().headscale.url}`)
        await waitFor('the link', () => LINK.test(up.log) && up.log.includes('Waiting for somebody'), { withinMs: 20_000 })
        expect(up.log).toMatch(/✓ Server's key fetched[\s\S]*✓ Registration sent[\s\S]*✓ Link shown[\s\S]*\/register\/[\s\S]*… Waiting for somebody/)
        up.signal('SIGINT')
        expect((await up.exited).code).toBe(130)
        expect(up.log).toContain('The engine goes on trying: bowline status shows how far it is, bowline down ends it.')
        expect(await type('status')).toMatchObject({ code: 7, stdout: expect.stringMatching(LINK) })
      })

      test('up again, the link approved, connects; the link is drawn for a phone when asked', async () => {
        const up = going('up', '--qr', '--hostname=ours')
        const link = await waitFor('the link', () => LINK.exec(up.log)?.[0], { withinMs: 20_000 })
        expect(up.log).toContain('▀')
        await lab().headscale.approve(link)
        expect((await up.exited).code).toBe(0)
        expect(up.log).toMatch(/✓ Approved[\s\S]*✓ Let in by the server[\s\S]*✓ List of devices received[\s\S]*Connected to lab\.internal as ours \(100\.64\.0\.\d+, /)
        await ours.waitUsable(real)
      })

      test('status shows the other device, ping reaches it, ip and whois know it', async () => {
        expect(await type('status')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Connected to lab\.internal as ours .*\n\nreal +100\.64\.0\.\d+ +alice +linux +\w/) })
        expect((await type('status', '--header')).stdout).toMatch(/^Device +Address +Owner +System +Path$/m)
        expect(await type('ping', '-c', '3', 'real')).toMatchObject({ code: 0, stdout: expect.stringContaining('answer from real') })
        const { v4 } = await real.ips()
        expect((await type('ip', '-4', 'real')).stdout).toBe(`${v4}\n`)
        expect((await type('whois', v4)).stdout).toMatch(/^device +real\.lab\.internal\naddress .*\nperson +alice\n$/)
        expect((await type('whoami')).stdout).toContain('ours.lab.internal')
        expect(await type('ping', 'raal')).toMatchObject({ code: 1, stderr: expect.stringContaining('Did you mean real?') })
      })

      test('set changes what is mentioned and says from what to what; get shows it', async () => {
        expect(await type('set', '--shields-up', '--hostname=desk')).toMatchObject({ code: 0, stdout: 'shields-up: off → on\nhostname: ours → desk\n' })
        await waitFor('the server to know the name', async () => (await lab().headscale.nodes()).some((node) => node.name.startsWith('desk')), { withinMs: 20_000 })
        expect((await type('get', '--set-flags')).stdout).toBe('--hostname=desk --shields-up\n')
        expect((await type('get', 'hostname')).stdout).toBe('desk\n')
        expect((await type('set', '--hostname=ours', '--shields-up=false')).code).toBe(0)
      })

      test.each([
        [['--shields-up', 'false'], '--shields-up=false'],
        [['--shields-up=perhaps'], '--shields-up is on or off'],
        [['--hostname=a b'], '--hostname wants 1 to 63 letters'],
        [['--advertise-routes=10.0.0.1/8'], '10.0.0.0/8'],
        [['--advertise-routes=rubbish'], '192.168.1.0/24'],
        [['--netfilter-mode=none'], 'one of on, nodivert, off'],
        [['--relay-server-port=70000'], '0 to 65535'],
        [['--exit-node=auto:best'], 'auto:any'],
        [['--hostnam=x'], 'Did you mean --hostname?'],
        [[], 'set wants a setting'],
      ])('set %j is refused with what is allowed, and changes nothing', async (words, told) => {
        const before = await ours.api.prefs()
        expect(await type('set', ...words)).toMatchObject({ code: 2, stderr: expect.stringContaining(told) })
        expect(await ours.api.prefs()).toEqual(before)
      })

      test('up with one setting keeps the others and says so; --reset puts them back', async () => {
        expect(await type('up', '--shields-up')).toMatchObject({ code: 0, stderr: expect.stringContaining('Kept from before: --hostname=ours') })
        expect(await ours.api.prefs()).toMatchObject({ Hostname: 'ours', ShieldsUp: true })
        expect(await type('up', '--reset', '--hostname=ours')).toMatchObject({ code: 0 })
        expect(await ours.api.prefs()).toMatchObject({ Hostname: 'ours', ShieldsUp: false })
      })

      test('status --watch shows a change, as text and as a line of JSON, until Ctrl-C', async () => {
        const [text, lines] = [going('status', '--watch'), going('status', '--watch', '--json', '--peers=false')]
        await waitFor('both to begin', () => text.stdout.includes('Connected') && lines.stdout.includes('\n'), { withinMs: 20_000 })
        expect((await type('down')).code).toBe(0)
        await waitFor('both to tell', () => text.stdout.includes('Disconnected') && lines.stdout.includes('"Stopped"'), { withinMs: 20_000 })
        for (const child of [text, lines]) child.signal('SIGINT')
        expect([(await text.exited).code, (await lines.exited).code]).toEqual([0, 0])
        const states = lines.stdout.trim().split('\n').map((line) => (JSON.parse(line) as { BackendState: string }).BackendState)
        expect([states[0], states.at(-1)]).toEqual(['Running', 'Stopped'])
      })

      test('disconnected: status ends with 5, wait with 6; up connects and wait ends with 0', async () => {
        expect(await type('status')).toMatchObject({ code: 5, stdout: 'Disconnected. Connect with: bowline up\n' })
        expect(await type('wait', '--timeout=500ms')).toMatchObject({ code: 6 })
        expect(await type('ping', 'real')).toMatchObject({ code: 5, stderr: expect.stringContaining('bowline up') })
        const waiting = going('wait')
        expect(await type('up')).toMatchObject({ code: 0, stdout: expect.stringContaining('Connected') })
        expect((await waiting.exited).code).toBe(0)
      })

      test('logout signs out, and ip then says why there is none', async () => {
        expect(await type('logout')).toMatchObject({ code: 0, stdout: 'Signed out.\n' })
        await ours.waitState('NeedsLogin', 10_000)
        expect(await type('ip')).toMatchObject({ code: 5, stderr: expect.stringContaining('not on a network') })
        expect(await type('logout')).toMatchObject({ code: 0, stdout: 'Nobody was signed in.\n' })
      })
    },
  )
})

describe('every verb', () => {
  labSuite(
    'answers',
    {},
    async (lab) => {
      ;[ours, real] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real')])
      await ours.waitUsable(real)
    },
    (lab) => {
      test.each<[words: string[], code: number, shape: unknown]>([
        [['status'], 0, { BackendState: 'Running', Session: { Kind: 'running' } }],
        [['status', '--peers=false'], 0, { Peer: null }],
        [['ip'], 0, [expect.stringMatching(/^100\.64/), expect.stringMatching(/^fd7a/)]],
        [['whois', 'real'], 0, { Node: { Name: 'real.lab.internal.' }, UserProfile: { LoginName: 'alice' } }],
        [['whoami'], 0, { Node: { Name: 'ours.lab.internal.' } }],
        [['netcheck'], 0, { UDP: true }],
        [['netcheck', '--format=json-line'], 0, { UDP: true }],
        [['version', '--daemon'], 0, { version: expect.any(String), engine: expect.any(String) }],
        [['dns', 'status'], 0, { TailscaleDNS: true, CurrentTailnet: { MagicDNSEnabled: true, MagicDNSSuffix: 'lab.internal', SelfDNSName: 'ours.lab.internal.' }, SearchDomains: ['lab.internal'] }],
        [['dns', 'query', 'real.lab.internal'], 0, { QueryType: 'A', ResponseCode: 'RCodeSuccess', Answers: [{ Name: 'real.lab.internal.', Type: 'TypeA', Body: expect.stringMatching(/^100\.64/) }] }],
        [['dns', 'query', 'nobody.lab.internal', 'aaaa'], 1, { ResponseCode: 'RCodeNameError' }],
        [['exit-node', 'list'], 0, { Nodes: [], Egress: { Kind: 'direct' } }],
        [['get'], 0, { hostname: 'ours', 'shields-up': false, 'netfilter-mode': 'on' }],
        [['set', '--shields-up'], 0, { Changed: { ShieldsUp: true }, Prefs: { ShieldsUp: true } }],
        [['set', '--shields-up=false'], 0, { Changed: { ShieldsUp: false } }],
        [['switch', 'list'], 0, [{ account: 'alice', selected: true }]],
        [['switch', '--list'], 0, [{ account: 'alice', selected: true }]],
        [['metrics'], 0, { tailscaled_home_derp_region_id: expect.any(Number) }],
        [['metrics', 'print'], 0, { tailscaled_home_derp_region_id: expect.any(Number) }],
        [['bugreport', 'a note'], 0, { marker: expect.stringMatching(/^BUG-/) }],
        [['debug', 'prefs'], 0, { WantRunning: true }],
        [['debug', 'session'], 0, { Kind: 'running' }],
        [['debug', 'netmap'], 0, { Domain: expect.any(String) }],
        [['debug', 'derp-map'], 0, { Regions: { 900: { RegionCode: 'r900' } } }],
        [['debug', 'journal', '--n=5'], 0, { events: expect.any(Array) }],
        [['debug', 'paths'], 0, { paths: expect.any(Array) }],
        [['debug', 'path', 'real'], 0, { name: 'real', why: expect.any(String), reason: { rule: expect.any(String) }, candidates: expect.any(Array) }],
        [['debug', 'path', 'nobody'], 1, { error: { code: 'no-such-device' } }],
        [['debug', 'rebind'], 0, { done: 'rebind' }],
        [['debug', 'restun'], 0, { done: 'restun' }],
        [['debug', 'watch-ipn', '--count=1', '--initial-status'], 0, { State: 6, InitialStatus: { BackendState: 'Running' } }],
        [['debug', 'localapi', 'status?peers=false'], 0, { BackendState: 'Running' }],
        [['trust', 'list'], 0, { Certificates: [] }],
        [['wait'], 0, { BackendState: 'Running' }],
        [['completion', 'bash'], 0, { shell: 'bash' }],
        [['up'], 0, { BackendState: 'Running', Steps: expect.any(Array) }],
        // Refusals and failures, each with its code.
        [['exit-node', 'suggest'], 0, { ID: '', Name: '' }],
        [['file', 'list'], 0, { Asks: [], Rows: [], Inbox: { Folder: '', Waiting: 0 } }],
        [['file', 'get', '.'], 0, { Moved: [], Failed: [] }],
        [['file', 'targets'], 0, { Targets: [{ Name: 'real', Usable: true }] }],
        [['file', 'cp', 'no-such-file', 'real:'], 1, { error: { code: 'no-such-file' } }],
        [['dns', 'query', 'real', 'LOC'], 2, { error: { code: 'usage' } }],
        [['cert', 'x'], 8, { error: { code: 'unavailable' } }],
        [['lock', 'status'], 8, { error: { code: 'unavailable' } }],
        [['funnel', '--bg', '80'], 8, { error: { code: 'unavailable' } }],
        [['drive', 'list'], 8, { error: { code: 'unavailable' } }],
        [['update', '--yes'], 8, { error: { code: 'unavailable' } }],
        [['ip', 'nobody'], 1, { error: { code: 'no-such-device' } }],
        [['whois', '100.64.0.99'], 1, { error: { code: 'not-found' } }],
        [['switch', 'nobody'], 1, { error: { code: 'no-such-account' } }],
        [['ip', '--assert=100.64.0.99'], 1, { error: { code: 'other-address' } }],
        [['debug', 'localapi', 'nonsense'], 1, { error: { code: 'not-found' } }],
        [['status', '--frobnicate'], 2, { error: { code: 'usage' } }],
        [['frobnicate'], 2, { error: { code: 'usage' } }],
        [['up', '--login-server=http://127.0.0.1:1'], 2, { error: { code: 'usage', message: expect.stringContaining('bowline login') } }],
        [['down'], 0, { WantRunning: false }],
        [['ping', 'real'], 5, { error: { code: 'not-connected' } }],
        [['wait', '--timeout=200ms'], 6, { error: { code: 'timeout' } }],
        [['up'], 0, { BackendState: 'Running' }],
      ])('bowline %j --json ends with %i and prints JSON alone', async (words, code, shape) => {
        const answer = await json(...words)
        expect(answer.value).toMatchObject(shape as Record<string, unknown>)
        expect(answer.code).toBe(code)
      })

      test('as text the refusals are one sentence each, never a stack trace', async () => {
        for (const words of [['cert'], ['lock'], ['funnel'], ['drive'], ['update'], ['serve']]) {
          const { code, stdout, stderr } = await ours.bowline(...words)
          expect([code, stdout], words.join(' ')).toEqual([8, ''])
          expect(stderr, words.join(' ')).toMatch(/^bowline: [A-Z].*\.?\n$/)
        }
      })

      test('dns status and query are the official ones, but for what belongs to the system', async () => {
        const theirs = JSON.parse((await ours.tailscale('dns', 'status', '--json')).stdout) as Record<string, unknown>
        const { SystemDNS: _dns, SystemDNSError: _error, ...rest } = theirs
        expect((await json('dns', 'status')).value).toMatchObject({ ...rest, SplitDNSRoutes: expect.any(Object) })
        for (const words of [['real.lab.internal', 'A'], ['real.lab.internal', 'AAAA'], ['nobody.lab.internal', 'A']]) {
          expect((await json('dns', 'query', ...words)).value, words.join(' ')).toMatchObject(JSON.parse((await ours.tailscale('dns', 'query', '--json', ...words)).stdout))
        }
        expect(await ours.bowline('dns', 'query', 'real.lab.internal')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^real\.lab\.internal  A  100\.64\.0\.\d+  for \d+ s\n\n\*  Bowline  here  -  100\.64\.0\.\d+\nreal\.lab\.internal is a device of this network\n$/) })
        expect(await ours.bowline('dns', 'query', 'nobody.lab.internal')).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no such name') })
      })

      test('metrics write leaves the whole file', async () => {
        const path = join(lab().folder, 'bowline.prom')
        expect(await ours.bowline('metrics', 'write', path)).toMatchObject({ code: 0 })
        expect(readFileSync(path, 'utf8')).toContain('tailscaled_home_derp_region_id 9')
        expect(await ours.bowline('metrics', 'write', '/nowhere/x')).toMatchObject({ code: 1, stderr: expect.stringContaining('/nowhere/x') })
      })

      test('a mark of bugreport is found again in the journal', async () => {
        const marker = (await ours.bowline('bugreport', 'it hangs')).stdout.trim()
        expect((await ours.bowline('debug', 'journal')).stdout).toContain(marker)
      })

      test('web --readonly looks and changes nothing', async () => {
        const web = going('web', '--readonly', '--no-open', '--json')
        try {
          const { url } = await waitFor('the address', () => (web.stdout.includes('}') ? (JSON.parse(web.stdout) as { url: string }) : undefined), { withinMs: 20_000 })
          const admitted = await fetch(url, { redirect: 'manual' })
          const headers = { cookie: admitted.headers.get('set-cookie')!.split(';')[0]!, 'content-type': 'application/json' }
          const call = async (name: string, body: unknown): Promise<unknown> => (await fetch(new URL(`/api/call/${name}`, url), { method: 'POST', headers, body: JSON.stringify(body) })).json()
          expect(await call('status', {})).toMatchObject({ ok: true, value: { BackendState: 'Running' } })
          expect(await call('editPrefs', { ShieldsUp: true, ShieldsUpSet: true })).toMatchObject({ ok: false, code: 'read-only' })
          expect(await call('logout', {})).toMatchObject({ ok: false, code: 'read-only' })
          expect(await ours.api.prefs()).toMatchObject({ ShieldsUp: false })
        } finally {
          web.signal('SIGINT')
          await web.exited
        }
      })

      test('the stock daemon answers it too, for what both have', async () => {
        const theirs = (...words: string[]): Promise<RunResult> => run(NODE, [COMMAND, `--socket=${real.api.socketPath}`, ...words], { timeoutMs: 60_000 })
        expect(await theirs('status')).toMatchObject({ code: 0, stdout: expect.stringMatching(/ours +100\.64/) })
        expect(await theirs('set', '--shields-up')).toMatchObject({ code: 0, stdout: 'shields-up: off → on\n' })
        expect(await theirs('up')).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('as real') })
        expect(await theirs('set', '--shields-up=false')).toMatchObject({ code: 0 })
      })

      test('an auth key comes from a file, and never into output', async () => {
        const node = await lab().add('bowline', 'filed')
        const [key, path] = [await lab().headscale.authKey(), join(lab().folder, 'key.txt')]
        writeFileSync(path, `${key}\n`)
        const { code, stdout, stderr } = await node.bowline('up', `--login-server=${lab().headscale.url}`, `--auth-key=file:${path}`, '--timeout=30s')
        expect(code).toBe(0)
        expect(stdout + stderr).not.toContain(key)
        expect(await node.bowline('up', '--auth-key=file:/nowhere')).toMatchObject({ code: 2, stderr: expect.stringContaining('no such file') })
      })

      test('a refused key is told with its reason and the next step, as text and as JSON', async () => {
        const node = await lab().add('bowline', 'refused')
        const words = ['up', `--login-server=${lab().headscale.url}`, '--auth-key=rubbish', '--timeout=20s']
        expect(await node.bowline(...words)).toMatchObject({ code: 1, stderr: expect.stringMatching(/✗ Sending the registration[\s\S]*Sign-in failed: .*bowline up --auth-key KEY/) })
        const asJson = await node.bowline(...words, '--json')
        expect([asJson.code, asJson.stderr, JSON.parse(asJson.stdout)]).toMatchObject([1, '', { error: { code: 'sign-in-failed' } }])
      })

      test('the system\'s own Node runs it too', async () => {
        const found = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules')).map((folder) => join(folder, 'node')).find((path) => existsSync(path))
        if (found === undefined) return
        expect(execFileSync(found, [COMMAND, `--socket=${ours.api.socketPath}`, 'status'], { encoding: 'utf8' })).toContain('Connected to lab.internal')
      })

      test('an engine that goes away while it is watched is told', async () => {
        const watching = going('status', '--watch')
        await waitFor('it to begin', () => watching.stdout.includes('Connected'), { withinMs: 20_000 })
        await ours.stop()
        expect((await watching.exited).code).toBe(3)
        expect(await ours.bowline('status')).toMatchObject({ code: 3 })
        expect(JSON.parse((await ours.bowline('status', '--json')).stdout)).toMatchObject({ error: { code: 'no-engine' } })
      })
    },
  )
})

let other: Headscale

async function twoServers(lab: Lab): Promise<void> {
  const folder = join(lab.folder, 'hs2')
  mkdirSync(folder)
  other = new Headscale({ program: lab.peers.headscale, folder, derpFiles: [], policy: ALLOW_ALL })
  await other.start()
  ours = await lab.add('bowline', 'ours')
}

describe('several accounts', () => {
  afterAll(async () => other?.stop())
  labSuite('on two servers', { relays: 'embedded' }, twoServers, (lab) => {
    test('login adds the second one, and the first one is kept', async () => {
      const first = await ours.bowline('login', `--login-server=${lab().headscale.url}`, `--auth-key=${await lab().headscale.authKey()}`, '--hostname=here', '--nickname=home', '--shields-up', '--timeout=30s')
      expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('as here') })
      const second = await ours.bowline('login', `--login-server=${other.url}`, `--auth-key=${await other.authKey()}`, '--nickname=away', '--timeout=30s')
      expect(second).toMatchObject({ code: 0, stdout: expect.stringContaining('Connected') })
      expect((await ours.bowline('switch', 'list')).stdout).toMatch(/ +\w{4} +home .*\n\* +\w{4} +away |\* +\w{4} +away .*\n +\w{4} +home /)
      expect(await ours.api.prefs()).toMatchObject({ ShieldsUp: false, ControlURL: other.url })
    })

    test('switch goes to an account by nickname, by ID and by server, and waits until it is connected', async () => {
      expect(await ours.bowline('switch', 'home')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Connected to .* as here /) })
      expect(await ours.api.prefs()).toMatchObject({ ShieldsUp: true, Hostname: 'here' })
      const rows = JSON.parse((await ours.bowline('switch', 'list', '--json')).stdout) as { id: string; nickname: string; selected: boolean }[]
      const away = rows.find((row) => row.nickname === 'away')!
      expect(JSON.parse((await ours.bowline('switch', away.id, '--json')).stdout)).toEqual({ id: away.id, BackendState: 'Running' })
      expect(await ours.bowline('switch', lab().headscale.url)).toMatchObject({ code: 0 })
      expect(await ours.bowline('switch', 'home')).toMatchObject({ code: 0, stdout: expect.stringContaining('in use already') })
      expect(await ours.bowline('switch', 'hoem')).toMatchObject({ code: 1, stderr: expect.stringContaining('Did you mean home?') })
    })

    test('switch remove forgets an account here', async () => {
      expect(await ours.bowline('switch', 'remove', 'away')).toMatchObject({ code: 0, stdout: expect.stringContaining('Forgotten here: away') })
      expect((await ours.bowline('switch', 'list')).stdout).not.toContain('away')
      expect(await ours.bowline('status')).toMatchObject({ code: 0 })
    })
  })
})
