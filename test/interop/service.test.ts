/**
 * A service of the computer as its unit starts it, driven by ordinary users with real credentials, beside a real Headscale: who may read and
 * write, and a person's device that moves into it and back, also when either engine is killed in the middle.
 */
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { copyBundle, ownBundle } from '../../main/cli/service/bundle.ts'
import { daemonWords, type ServiceShape } from '../../main/cli/service/plan.ts'
import { unitText } from '../../main/cli/service/systemd-plan.ts'
import { Child, run, runOk, type RunResult } from '../support/child.ts'
import { freeTcpPort } from '../support/ports.ts'
import { waitFor } from '../support/wait.ts'
import type { Lab } from './lab/lab.ts'
import { LocalApi, type Status } from './lab/local-api.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

const root = new URL('../../', import.meta.url).pathname
/** Users that no list of this computer has; `bin` is a group that every one has. */
const [ANNA, EVE] = [4242, 4343]
const GROUP = 'bin'
const GROUP_ID = Number(/^bin:[^:]*:(\d+)/m.exec(readFileSync('/etc/group', 'utf8'))?.[1])
const PATIENCE = { withinMs: 60_000 }
const ENV = { TS_DEBUG_USE_DERP_HTTP: 'true', TS_NO_LOGS_NO_SUPPORT: 'true', TS_DISABLE_PORTMAPPER: 'true', DBUS_SESSION_BUS_ADDRESS: '' }

const asUser = (uid: number, gid = uid): readonly string[] => ['/usr/bin/setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs', '--']

/** One engine of the computer's own copy, as root or as a person. */
class Engine {
  readonly api: LocalApi
  readonly stateDir: string
  readonly #words: readonly string[]
  readonly #prefix: readonly string[]
  readonly #name: string
  child: Child | undefined

  constructor(name: string, folder: string, socket: string, words: readonly string[], prefix: readonly string[] = []) {
    this.#name = name
    this.stateDir = folder
    this.#words = words
    this.#prefix = prefix
    this.api = new LocalApi(socket)
  }
  async start(): Promise<void> {
    const [command = '', ...args] = this.#words
    const child = new Child({ name: this.#name, command, args: [...args], env: ENV, ...(this.#prefix.length > 0 ? { prefix: this.#prefix } : {}) })
    this.child = child
    await waitFor(`${this.#name} to answer`, async () => {
      child.assertRunning()
      return existsSync(this.api.socketPath) && (await this.api.call('GET', 'status', undefined, {}, 2_000)).status === 200
    }, PATIENCE)
  }
  async kill(): Promise<void> {
    await this.child?.kill()
    this.child = undefined
  }
  /** undefined: it does not answer now. */
  status(): Promise<Status | undefined> {
    return this.api.status().catch(() => undefined)
  }
  /** How many accounts it has. */
  async accounts(): Promise<number> {
    const { text } = await this.api.call('GET', 'profiles/')
    return (JSON.parse(text) as readonly unknown[]).length
  }
  onDisk(): string {
    return readdirSync(this.stateDir).filter((name) => name.startsWith('state.json')).map((name) => readFileSync(join(this.stateDir, name), 'utf8')).join('\n')
  }
}

let command: readonly string[]
let service: Engine
let own: Engine
let real: LabNode
let tailscale: string
let shape: ServiceShape

async function prepare(lab: Lab): Promise<void> {
  await runOk(process.execPath, ['--input-type=module', '-e', `import { freshen } from '${root}build/scripts/fresh.mjs'; process.exit(freshen() ? 0 : 1)`], { timeoutMs: 100_000 })
  chmodSync(lab.folder, 0o755)
  const at = join(lab.folder, 'computer')
  copyBundle(ownBundle(join(root, 'dist'), process.execPath), { root: at })
  command = ['node', 'command.mjs'].map((name) => join(at, 'usr/lib/bowline', name))
  tailscale = join(at, 'tailscale')
  copyFileSync(lab.peers.tailscale, tailscale)
  shape = { command, socket: join(at, 'run/bowline.sock'), stateDir: join(at, 'state'), operators: [String(ANNA)], group: GROUP }
  mkdirSync(shape.stateDir, { mode: 0o700 })
  const home = join(at, 'anna')
  mkdirSync(home, { mode: 0o700 })
  chownSync(home, ANNA, ANNA)
  service = new Engine('service', shape.stateDir, shape.socket, [...command, ...daemonWords(shape), '--socks5-server=off'])
  own = new Engine('own', home, join(home, 'own.sock'), [...command, 'daemon', `--statedir=${home}`, `--socket=${join(home, 'own.sock')}`, '--encrypt-state=false', `--socks5-server=localhost:${await freeTcpPort()}`], asUser(ANNA))
  ;[real] = await Promise.all([lab.join('bowline', 'desk'), service.start(), own.start()])
}

/** Our command on the service's socket, as somebody. */
const bowline = (prefix: readonly string[], ...words: readonly string[]): Promise<RunResult> => run(prefix[0]!, [...prefix.slice(1), ...command, `--socket=${shape.socket}`, ...words], { timeoutMs: 60_000, env: { HOME: '/', BOWLINE_SERVICE_ROOT: '' } })

async function handOver(from: Engine, to: Engine, uid?: number): Promise<unknown> {
  return JSON.parse((await from.api.call('POST', 'bowline/hand-over', { Do: 'give', Socket: to.api.socketPath, ...(uid === undefined ? {} : { Uid: uid }) }, {}, 60_000)).text)
}

const settled = (from: Engine): Promise<string> => waitFor('the end of the move', async () => {
  const { State } = JSON.parse((await from.api.call('GET', 'bowline/hand-over')).text) as { State: string }
  return State === 'moving' ? undefined : State
}, PATIENCE)

describe.skipIf(process.getuid?.() !== 0 || !existsSync('/usr/bin/setpriv'))('as root', () => {
  labSuite('a service of the computer', { relays: 'embedded' }, prepare, (lab) => {
    afterAll(() => Promise.all([service?.kill(), own?.kill()]))

    test('its unit starts it with these very words', () => {
      expect(unitText(shape)).toContain(`ExecStart=${[...command, ...daemonWords(shape)].join(' ')} $FLAGS\n`)
      expect(service.child!.log).toContain('ready: serving')
    })

    test('everybody may read, its operator and its group may write, and nobody else', async () => {
      const down = async (prefix: readonly string[]): Promise<number | null> => (await bowline(prefix, 'set', '--accept-dns=false')).code
      const looks = await Promise.all([asUser(EVE), asUser(ANNA)].map((prefix) => bowline(prefix, 'status', '--json')))
      expect(looks.map(({ code }) => code)).toEqual([0, 0])
      expect(JSON.parse(looks[0]!.stdout)).toMatchObject({ BackendState: 'NeedsLogin', Engine: { Socket: shape.socket, Kind: 'named' } })
      expect([await down(asUser(EVE)), await down(asUser(ANNA)), await down(asUser(EVE, GROUP_ID))]).toEqual([4, 0, 0])
      const official = await run('/usr/bin/setpriv', [...asUser(EVE).slice(1), tailscale, `--socket=${shape.socket}`, 'status'])
      expect(`${official.stdout}${official.stderr}`).toContain('Logged out')
    })

    test('a device moves from a person\'s engine into it: the same key and address, and nothing is left behind', async () => {
      const key = await lab().headscale.authKey()
      await own.api.call('POST', 'start', { UpdatePrefs: { ControlURL: lab().headscale.url, WantRunning: true, Hostname: 'annas' }, AuthKey: key })
      const before = await waitFor('the person\'s engine to run', async () => {
        const status = await own.status()
        return status?.BackendState === 'Running' ? status : undefined
      }, PATIENCE)
      const nodeKey = (JSON.parse(own.onDisk().split('\n}\n')[0]!.replace(/\}?\s*$/, '}')) as { profiles: { nodeKey: string }[] }).profiles[0]!.nodeKey
      const nodes = (await lab().headscale.nodes()).length

      expect(await handOver(own, service)).toMatchObject({ State: expect.stringMatching(/moving|given/) })
      expect(await settled(own)).toBe('given')
      const after = (await service.status())!
      expect([after.BackendState, after.Self.PublicKey, after.TailscaleIPs]).toEqual(['Running', before.Self.PublicKey, before.TailscaleIPs])
      expect([own.onDisk().includes(nodeKey), service.onDisk().includes(nodeKey)]).toEqual([false, true])
      expect([(await lab().headscale.nodes()).length, await own.accounts()]).toEqual([nodes, 0])
      for (const { child } of [own, service]) expect(child!.log).not.toContain(nodeKey.slice(10))
      expect((await bowline(asUser(ANNA), 'ping', '--c=1', 'desk')).code).toBe(0)
    })

    test('an operator fetches what arrived there, and others do not hear of it', async () => {
      const file = join(lab().folder, 'letter.txt')
      copyFileSync('/etc/hostname', file)
      await waitFor('the file to be sent', async () => (await real.bowline('file', 'cp', file, 'annas:')).code === 0, PATIENCE)
      expect((await bowline(asUser(EVE), 'file', 'get', own.stateDir)).code).toBe(4)
      const inbox = join(own.stateDir, 'inbox')
      mkdirSync(inbox)
      chownSync(inbox, ANNA, ANNA)
      const got = await bowline(asUser(ANNA), 'file', 'get', '--wait', inbox)
      expect([got.code, readFileSync(join(inbox, 'letter.txt'), 'utf8')]).toEqual([0, readFileSync('/etc/hostname', 'utf8')])
    })

    test('it gives the device to nobody but the person that asks, and root', async () => {
      const words = [...command, `--socket=${shape.socket}`, 'debug', 'localapi', 'POST', 'bowline/hand-over']
      const other = join(lab().folder, 'computer/eve')
      mkdirSync(other)
      chownSync(other, EVE, EVE)
      const eves = new Engine('eves', other, join(other, 'e.sock'), [...command, 'daemon', `--statedir=${other}`, `--socket=${join(other, 'e.sock')}`, '--encrypt-state=false', '--socks5-server=off'], asUser(EVE))
      await eves.start()
      try {
        const asked = await run('/usr/bin/setpriv', [...asUser(ANNA).slice(1), ...words, JSON.stringify({ Do: 'give', Socket: eves.api.socketPath })])
        expect(`${asked.stdout}${asked.stderr}`).toContain('of another user')
        expect([(await service.status())!.BackendState, await eves.accounts()]).toEqual(['Running', 0])
      } finally {
        await eves.kill()
      }
    })

    test('the device goes back to the person\'s engine', async () => {
      const before = (await service.status())!
      await handOver(service, own, ANNA)
      expect(await settled(service)).toBe('given')
      const after = (await own.status())!
      expect([after.BackendState, after.Self.PublicKey, after.TailscaleIPs, await service.accounts()]).toEqual(['Running', before.Self.PublicKey, before.TailscaleIPs, 0])
    })

    test.each([0, 20, 60, 120, 250])('killed %d ms after the offer, whichever it is, both come back and one of them has the device', async (afterMs) => {
      const key = (await own.status())!.Self.PublicKey
      const nodes = (await lab().headscale.nodes()).length
      const victim = afterMs % 40 === 0 ? service : own
      let most = 0
      let watching = true
      const watch = (async () => {
        while (watching) {
          const running = (await Promise.all([own.status(), service.status()])).filter((status) => status?.BackendState === 'Running')
          most = Math.max(most, running.length)
        }
      })()
      const asked = handOver(own, service).catch(() => undefined)
      // A point in time is what this is about; whatever it hits must be right.
      await new Promise((resolve) => setTimeout(resolve, afterMs))
      await victim.kill()
      await asked
      await victim.start()
      expect(await settled(own)).toMatch(/none|given|kept/)
      const owner = await waitFor('one of them to run', async () => {
        const found = []
        for (const engine of [own, service]) if ((await engine.accounts()) > 0 && (await engine.status())?.BackendState === 'Running') found.push(engine)
        return found.length === 1 ? found[0] : undefined
      }, PATIENCE)
      watching = false
      await watch
      expect(most).toBeLessThanOrEqual(1)
      expect((await owner.status())!.Self.PublicKey).toBe(key)
      expect((await lab().headscale.nodes()).length).toBe(nodes)
      if (owner === own) return
      await handOver(service, own, ANNA)
      expect(await settled(service)).toBe('given')
    })
  })
})
