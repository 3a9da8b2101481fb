/**
 * The app as it is shipped on Linux: packed here from what is built, its fuses and its archive read back, started as an ordinary user with
 * Chromium's sandbox on, driven, and its Debian package looked into.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listPackage } from '@electron/asar'
import { FuseV1Options, getCurrentFuseWire } from '@electron/fuses'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { makeLink } from '../../main/engine/core/join/link.ts'
import { waitFor } from '../support/wait.ts'
import { electronBinary, root } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

const canRun = process.platform === 'linux' && electronBinary() !== undefined
const isRoot = process.getuid?.() === 0
/** Root would have to switch the sandbox off, so it starts the app as nobody. */
const NOBODY = 65534
const PATIENT = { withinMs: 60_000 }

const packages = join(root, 'build/.cache/packages')

describe.skipIf(!canRun)(`the packaged app${canRun ? '' : ' (no Electron binary here)'}`, () => {
  let folder: string
  let app: string
  let lab: DemoLab
  let child: ChildProcess | undefined
  let browser: Browser | undefined
  let said = ''

  beforeAll(async () => {
    execFileSync(process.execPath, [join(root, 'build/scripts/package.mjs'), '--linux', 'deb', '--store'], { cwd: root, stdio: 'pipe' })
    folder = mkdtempSync(join(tmpdir(), 'bowline-packed-'))
    chmodSync(folder, 0o755)
    // Where every user may read, as an installed program is.
    app = join(folder, 'deb/opt/Bowline')
    execFileSync('dpkg-deb', ['-x', debFile(), join(folder, 'deb')])
    lab = await startDemoLab()
  }, 240_000)
  afterEach(async () => {
    await browser?.close()
    browser = undefined
    await end(child)
    child = undefined
  })
  afterAll(async () => {
    await lab?.stop()
    if (folder) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  })

  const debFile = (): string => join(packages, readdirSync(packages).find((name) => name.endsWith('.deb'))!)

  /** The home of an ordinary user, with the key to the screen. */
  const newHome = (): string => {
    const home = mkdtempSync(join(folder, 'home-'))
    const given = process.env['XAUTHORITY']
    const authority = join(home, 'xauthority')
    if (given !== undefined && existsSync(given)) writeFileSync(authority, readFileSync(given), { mode: 0o600 })
    if (isRoot) for (const path of [home, authority]) if (existsSync(path)) chownSync(path, NOBODY, NOBODY)
    return home
  }
  const run = (home: string, env: Readonly<Record<string, string>>, ...args: string[]): ChildProcess => {
    const command = [join(app, 'bowline-desktop'), '--disable-gpu', ...args]
    if (isRoot) command.unshift('setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--inh-caps=-all')
    return spawn(command[0]!, command.slice(1), {
      cwd: home, stdio: ['ignore', 'pipe', 'pipe'], detached: true,
      env: {
        PATH: process.env['PATH']!, DISPLAY: process.env['DISPLAY'] ?? '', XAUTHORITY: join(home, 'xauthority'), HOME: home, XDG_RUNTIME_DIR: home,
        DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent', ...env,
      },
    })
  }
  /** Starts the app and gives its page. */
  const start = async (home: string, env: Readonly<Record<string, string>>, ...args: string[]): Promise<Page> => {
    said = ''
    child = run(home, env, '--remote-debugging-port=0', ...args)
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()))
    const url = await waitFor('the debugging port', () => /DevTools listening on (ws:\S+)/.exec(said)?.[1], PATIENT)
    browser = await chromium.connectOverCDP(url)
    const page = await waitFor('the window', () => browser!.contexts().flatMap((context) => context.pages()).find((one) => one.url().startsWith('bowline-app:')), PATIENT)
    await page.waitForLoadState()
    return page
  }

  it('has its fuses set: no Node, no debugger, code out of the archive alone', async () => {
    const wire = await getCurrentFuseWire(join(app, 'bowline-desktop'))
    const on = (fuse: FuseV1Options): boolean => String.fromCharCode(wire[fuse]!) === '1'
    expect({
      node: on(FuseV1Options.RunAsNode), options: on(FuseV1Options.EnableNodeOptionsEnvironmentVariable), debugger: on(FuseV1Options.EnableNodeCliInspectArguments),
      file: on(FuseV1Options.GrantFileProtocolExtraPrivileges), integrity: on(FuseV1Options.EnableEmbeddedAsarIntegrityValidation), archive: on(FuseV1Options.OnlyLoadAppFromAsar),
      cookies: on(FuseV1Options.EnableCookieEncryption),
    }).toEqual({ node: false, options: false, debugger: false, file: false, integrity: true, archive: true, cookies: true })
  })

  it('holds the bundles, the window and licences, and nothing else', () => {
    const files = listPackage(join(app, 'resources/app.asar'), { isPack: false })
    expect(files).toEqual(expect.arrayContaining(['/dist/main.cjs', '/dist/preload.cjs', '/dist/engine.mjs', '/dist/bowline.mjs', '/dist/renderer/index.html', '/LICENSE', '/build/THIRD-PARTY-NOTICES.txt']))
    expect(files.filter((file) => !/^\/(LICENSE|package\.json|build(\/THIRD-PARTY-NOTICES\.txt)?|dist(\/[\w-]+\.(mjs|cjs))?|dist\/icons(\/[\w@.-]+\.(png|ico))?|dist\/renderer(\/index\.html|\/assets(\/[\w.-]+\.(js|css|svg|png|txt))?)?)$/.test(file))).toEqual([])
    expect(readdirSync(join(app, 'resources')).toSorted()).toEqual(['app.asar', 'cli', 'native'])
    expect(readdirSync(app).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('starts as an ordinary user with the sandbox on, whatever the environment says, and joins a network', async () => {
    const evil = join(folder, 'evil.cjs')
    writeFileSync(evil, `console.log('evil ran')`)
    const home = newHome()
    const page = await start(home, { NODE_OPTIONS: `--require ${evil}`, ELECTRON_RUN_AS_NODE: '1' }, '--inspect=0')
    const renderers = processesOf(app).filter((process) => process.command.includes('--type=renderer'))
    expect(renderers.length).toBeGreaterThan(0)
    // 2 = a filter of system calls holds.
    expect(renderers.map((process) => process.seccomp)).toEqual(renderers.map(() => '2'))
    expect(renderers.filter((process) => process.command.includes('--no-sandbox'))).toEqual([])
    expect(await page.evaluate('[typeof require, typeof process, typeof module].join()')).toBe('undefined,undefined,undefined')
    // The page's policy: no code out of texts, no inline script, nothing from outside.
    expect(await page.evaluate(`new Promise((done) => setTimeout(() => { try { done(eval('1')) } catch (error) { done(error.name) } }))`)).toBe('EvalError')
    const inline = `new Promise((done) => { addEventListener('securitypolicyviolation', (event) => done(event.effectiveDirective), { once: true }); const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.head.append(s) })`
    expect(await page.evaluate(inline)).toMatch(/^script-src/)
    expect(await page.evaluate(`fetch('https://127.0.0.1:1/').then(() => 'went', () => 'refused')`)).toBe('refused')

    // What the desktop does with a join link: it starts the app once more, which hands the link to the first.
    const second = run(home, {}, joinLink(lab.network.control.url))
    second.stdout!.resume()
    second.stderr!.resume()
    await page.getByRole('heading', { name: 'Fjord Labs invites you' }).waitFor({ timeout: 60_000 })
    await waitFor('the end of the second start', () => second.exitCode !== null, PATIENT)
    await page.getByRole('button', { name: 'Cancel' }).click()

    const key = lab.network.control.createAuthKey({ login: 'anna' })
    const call = (name: string, send: unknown): Promise<{ ok: boolean }> => page.evaluate(([what, body]) => (globalThis as unknown as Bridge).bowline.call(what as string, body), [name, send] as const)
    await waitFor('an engine that takes the server', async () => (await call('editPrefs', { ControlURL: lab.network.control.url, ControlURLSet: true, WantRunning: true, WantRunningSet: true })).ok, PATIENT)
    expect(await call('start', { AuthKey: key })).toMatchObject({ ok: true })
    await page.getByRole('main').getByText('files', { exact: true }).first().waitFor({ timeout: 60_000 })
    expect(said).not.toContain('evil ran')
    expect(said).not.toContain('Debugger listening')
  }, 180_000)

  it('is a Debian package that says what it needs and puts things where the desktop looks', () => {
    const fields = execFileSync('dpkg-deb', ['-f', debFile()], { encoding: 'utf8' })
    expect(fields).toMatch(/^Package: bowline$/m)
    expect(fields).toMatch(/^Depends: .*libgtk-3-0/m)
    const listed = execFileSync('dpkg-deb', ['-c', debFile()], { encoding: 'utf8' })
    expect(listed).toMatch(/^-rwsr-xr-x root\/root .*\.\/opt\/Bowline\/chrome-sandbox$/m)
    expect(listed.split('\n').filter((line) => /^.{5}w|^.{8}w/.test(line) && !line.startsWith('l'))).toEqual([])
    const entry = readFileSync(join(folder, 'deb/usr/share/applications/org.bowline.Bowline.desktop'), 'utf8')
    expect(entry).toContain('MimeType=x-scheme-handler/bowline;')
    expect(entry).toContain('Exec=/usr/bin/bowline-desktop %U')
    expect(statSync(join(folder, 'deb/usr/share/icons/hicolor/scalable/apps/org.bowline.Bowline.svg')).size).toBeGreaterThan(100)
  })

  it.skipIf(!isRoot)('brings the command, on the Node of the system', () => {
    // Its own view of /opt, as if it were installed.
    const said = execFileSync('unshare', ['-m', 'sh', '-c', 'mount --bind "$0/opt" /opt && exec "$0/usr/bin/bowline" version', join(folder, 'deb')], { encoding: 'utf8' })
    expect(said).toContain(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version)
  })
})

interface Bridge {
  readonly bowline: { call(name: string, send: unknown): Promise<{ ok: boolean }> }
}

function joinLink(server: string): string {
  const content = { server, org: 'Fjord Labs', contact: '', signIn: '', pins: [], settings: {}, untilMs: Date.now() + 86_400_000 }
  const made = makeLink(content, new Uint8Array(32).fill(7), Date.now())
  if (made.kind === 'refused') throw new Error(made.code)
  return made.text
}

/** Processes whose program lies below a folder. */
function processesOf(folder: string): { command: string; seccomp: string }[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      return command.startsWith(folder) ? [{ command, seccomp: /^Seccomp:\s*(\d)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '' }] : []
    } catch {
      return []
    }
  })
}

/** Ends a child and all that it started: it leads a group of its own. */
async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((done) => child.once('exit', done))
  process.kill(-child.pid!, 'SIGKILL')
  await ended
}
