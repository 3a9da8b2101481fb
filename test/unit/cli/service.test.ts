/** What installing the service writes, as text, and which files it may run. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { copyBundle, ownBundle } from '../../../main/cli/service/bundle.ts'
import { install, shapeOf, uninstall } from '../../../main/cli/service/install.ts'
import { launchdPlan } from '../../../main/cli/service/launchd-plan.ts'
import { planText } from '../../../main/cli/service/plan.ts'
import { isUserWord, readRecord } from '../../../main/cli/service/record.ts'
import { whyReplaceable } from '../../../main/cli/service/safe-path.ts'
import { systemdPlan, unitText } from '../../../main/cli/service/systemd-plan.ts'
import { findUser } from '../../../main/cli/service/users.ts'
import { windowsPlan } from '../../../main/cli/service/windows-plan.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'
import { runAt } from './run.ts'

const dir = makeTempDir('service')
afterAll(() => removeTempDir(dir))

const LINUX = shapeOf(['/usr/bin/node', '/usr/lib/bowline/command.mjs'], ['anna', '1001'])

describe('the plan', () => {
  test('of systemd', async () => {
    await expect(planText(systemdPlan(LINUX))).toMatchFileSnapshot('service/systemd.txt')
  })

  test('of launchd', async () => {
    const shape = { ...shapeOf(['/usr/local/bin/node', '/Applications/A & B.app/command.mjs'], ['anna'], ''), socket: '/var/run/bowline.sock', stateDir: '/Library/Bowline' }
    await expect(planText(launchdPlan(shape))).toMatchFileSnapshot('service/launchd.txt')
  })

  test('of Windows', async () => {
    const shape = { ...shapeOf(['C:\\Program Files\\Bowline\\node.exe', 'C:\\Program Files\\Bowline\\command.mjs'], ['S-1-5-21'], ''), socket: '\\\\.\\pipe\\ProtectedPrefix\\Administrators\\Bowline\\engine', stateDir: 'C:\\ProgramData\\Bowline' }
    await expect(planText(windowsPlan(shape))).toMatchFileSnapshot('service/windows.txt')
  })

  test('a path with what systemd would read as more is one word', () => {
    expect(unitText({ ...LINUX, command: ['/opt/100% "new" $HOME/node'] })).toContain('ExecStart="/opt/100%% \\"new\\" $$HOME/node" daemon')
  })
})

test.each(['anna', '1000', '_apt', 'anna.b-c@dom', 'vm$'])('%s can be an operator', (user) => expect(isUserWord(user)).toBe(true))
test.each(['', '-x', 'a b', 'a,b', 'a%n', 'a\nExecStart=/bin/sh', '$USER', 'ä'])('%j cannot', (user) => expect(isUserWord(user)).toBe(false))

test('users are found by name and by number', () => {
  const list = [['root', 'x', '0'], ['anna', 'x', '1000', '1000', '', '/home/anna'], ['']]
  expect([findUser('anna', list), findUser('1000', list), findUser('', list), findUser('nobody-here', list)]).toEqual([{ name: 'anna', uid: 1000, home: '/home/anna' }, { name: 'anna', uid: 1000, home: '/home/anna' }, undefined, undefined])
})

test('who updates the computer is not who may use the service from then on', async () => {
  const env = { SUDO_USER: 'nobody-here' }
  expect((await runAt('/nowhere.sock', ['service', 'install'], { env })).err).toContain('no user "nobody-here"')
  expect((await runAt('/nowhere.sock', ['service', 'install', '--from-package'], { env })).err).toContain('wants admin rights')
})

describe('a path that root may run', () => {
  const owner = process.getuid?.() ?? 0
  const base = join(dir, 'sys')
  const safe = (path: string): string | undefined => whyReplaceable(path, { systemFolders: [`${base}/`], owner })?.replaceAll(dir, '')
  mkdirSync(join(base, 'lib'), { recursive: true })
  writeFileSync(join(base, 'lib/tool'), '')
  for (const path of [join(base, 'lib'), join(base, 'lib/tool')]) chmodSync(path, 0o755)

  test('lies in a folder of the system, whatever leads there', () => {
    symlinkSync(join(base, 'lib/tool'), join(dir, 'link'))
    symlinkSync('/etc/passwd', join(base, 'lib/out'))
    expect(safe(join(base, 'lib/out'))).toBe('/etc/passwd is in no folder of the system')
    expect(whyReplaceable(join(base, 'lib/tool'))).toContain('is in no folder of the system')
    expect(safe(join(base, 'lib/none'))).toContain('is not there')
    expect(whyReplaceable(join(dir, 'link'))).toContain('sys/lib/tool is in no folder of the system')
  })

  test('has no folder on its way that others may write to', () => {
    chmodSync(join(base, 'lib'), 0o777)
    expect(safe(join(base, 'lib/tool'))).toBe('others may write to /sys/lib')
    chmodSync(join(base, 'lib'), 0o755)
    chmodSync(join(base, 'lib/tool'), 0o775)
    expect(safe(join(base, 'lib/tool'))).toBe('others may write to /sys/lib/tool')
  })
})

describe('the bundle', () => {
  const from = join(dir, 'checkout')
  mkdirSync(join(from, 'dist'), { recursive: true })
  mkdirSync(join(from, 'native'))
  for (const name of ['bowline.mjs', 'bowline-daemon.mjs', 'main.cjs', '.stamp']) writeFileSync(join(from, 'dist', name), name, { mode: 0o666 })
  writeFileSync(join(from, `native/bowline.${process.platform}-${process.arch}.x`), 'addon')
  writeFileSync(join(from, 'node'), 'a node')
  const bundle = ownBundle(join(from, 'dist'), join(from, 'node'))

  test('is copied with its Node and the add-on, for root to own, in place of what was there', () => {
    const root = join(dir, 'root')
    expect(copyBundle(bundle, { root })).toEqual(['/usr/lib/bowline/node', '/usr/lib/bowline/command.mjs'])
    const copy = join(root, 'usr/lib/bowline')
    writeFileSync(join(copy, 'old.mjs'), '')
    copyBundle(bundle, { root })
    expect(readdirSync(copy).toSorted()).toEqual(['bowline-daemon.mjs', 'bowline.mjs', 'command.mjs', 'native', 'node'])
    expect(statSync(join(copy, 'bowline.mjs')).mode & 0o777).toBe(0o644)
    expect(readdirSync(join(root, 'usr/lib'))).toEqual(['bowline'])
  })

  test('is not copied through a link to a file of somebody else', () => {
    rmSync(join(from, 'dist/bowline-daemon.mjs'))
    symlinkSync('/etc/passwd', join(from, 'dist/bowline-daemon.mjs'))
    const root = join(dir, 'root-2')
    expect(() => copyBundle(bundle, { root })).toThrow(/ELOOP/)
    expect(() => statSync(join(root, 'usr/lib/bowline'))).toThrow('ENOENT')
    rmSync(join(from, 'dist/bowline-daemon.mjs'))
  })

  test('is installed below a folder, again with another operator, and taken away whole; nobody else\'s unit is touched', async () => {
    const root = join(dir, 'image')
    const said: string[] = []
    const say = (line: string): void => void said.push(line)
    install({ bundle, operators: ['anna'], root, say })
    install({ bundle, operators: ['ben'], root, say })
    const unit = join(root, 'etc/systemd/system/bowline.service')
    expect(readFileSync(unit, 'utf8')).toContain('--operator=anna,ben --operator-group=bowline')
    expect([readRecord(join(root, 'var/lib/bowline'))?.operators, statSync(join(root, 'var/lib/bowline')).mode & 0o777]).toEqual([['anna', 'ben'], 0o700])
    writeFileSync(join(root, 'var/lib/bowline/state.json'), 'kept')
    await uninstall({ root, say, cleanUp: async () => {} })
    expect([readdirSync(join(root, 'etc/systemd/system')), readdirSync(join(root, 'usr/lib')), readdirSync(join(root, 'var/lib/bowline'))]).toEqual([[], [], ['state.json']])
    writeFileSync(unit, '[Service]\nExecStart=/usr/bin/other\n')
    expect(() => install({ bundle, operators: [], root, say })).toThrow('was not written by this command')
    await expect(uninstall({ root, say, cleanUp: async () => {} })).rejects.toThrow('was not written by this command')
    expect(readFileSync(unit, 'utf8')).toContain('/usr/bin/other')
  })
})
