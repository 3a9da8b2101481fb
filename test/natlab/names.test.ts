/**
 * Names of a whole computer, with the real daemons that set them: systemd-resolved, NetworkManager and both programs called resolvconf, from
 * Debian packages that are unpacked and not installed. Programs of the computer ask by the C library and by dig; two servers write down
 * what they are asked.
 */
import { existsSync, lstatSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Child } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import { NamesHost } from './names-host.ts'
import type { HostOptions } from './names-host.ts'
import { systemPackages } from './system-packages.ts'

const BEFORE = '# mine\nnameserver 192.0.2.53\nsearch lan\noptions timeout:1 attempts:1\n'
const resolved = await systemPackages('systemd-resolved')
const debian = await systemPackages('resolvconf')
const openresolv = await systemPackages('openresolv')
const networkManager = await systemPackages('network-manager', 'libndp0')
for (const [name, folder] of Object.entries({ 'systemd-resolved': resolved, resolvconf: debian, openresolv, 'network-manager': networkManager })) if (folder === undefined) console.log(`${name} cannot be had here: not tested`)

const open: NamesHost[] = []

async function hostOf(options: HostOptions): Promise<NamesHost> {
  const host = new NamesHost(options)
  open.push(host)
  await host.start()
  return host
}

afterEach(async () => {
  for (const host of open.splice(0)) await host.stop()
}, 60_000)

/** Until programs find a name at an address. */
const finds = (host: NamesHost, name: string, ip: string | undefined): Promise<unknown> => waitFor(`${name} to be ${ip ?? 'nowhere'}`, async () => (await host.getent(name))[0] === ip, { withinMs: 60_000 })
const nobody = (host: NamesHost, name: string): Promise<unknown> => waitFor(`${name} to be nowhere`, async () => (await host.getent(name)).length === 0, { withinMs: 60_000 })

describe('resolv.conf itself', () => {
  test('programs ask us, and after the end those of before', async () => {
    const host = await hostOf({ resolvConf: BEFORE })
    await finds(host, 'www.example', '198.51.100.1')
    await host.startEngine()
    expect(await host.set({ all: true })).toEqual({ through: 'file', problems: [] })
    await finds(host, 'peer', '100.64.0.7')
    await finds(host, 'www.example', '100.64.0.99')
    expect((await host.run('dig', '+short', 'peer.net.example')).stdout.trim()).toBe('100.64.0.7')
    expect(await host.ask({ own: true })).toMatchObject({ servers: ['192.0.2.53'], search: ['lan'] })
    await host.set(null)
    expect(await host.resolvConf()).toBe(BEFORE)
    await finds(host, 'www.example', '198.51.100.1')
    expect(host.own.asked('peer.net.example')).toEqual([])
  })

  test('a killed engine leaves what asks nobody else, and the next one puts it back', async () => {
    const host = await hostOf({ resolvConf: BEFORE })
    await host.startEngine()
    await host.set({ all: true, exclusive: true })
    await host.killEngine()
    expect(await host.resolvConf()).toContain('nameserver 100.100.100.100')
    await host.startEngine()
    // Before anything was put back the computer's own are known: the engine needs them to find its server.
    expect(await host.ask({ own: true })).toMatchObject({ servers: ['192.0.2.53'] })
    expect(await host.ask({ cleanUp: true })).toBe(true)
    expect(await host.resolvConf()).toBe(BEFORE)
  })

  test('a file that is mounted by itself is written in place, and put back in place', async () => {
    const host = await hostOf({ resolvConf: '' })
    writeFileSync(join(host.folder, 'of-the-container'), BEFORE)
    await host.run('mount', '--bind', join(host.folder, 'of-the-container'), '/etc/resolv.conf')
    await host.startEngine()
    expect(await host.set({ all: true })).toMatchObject({ through: 'file', problems: [] })
    await finds(host, 'peer.net.example', '100.64.0.7')
    await host.killEngine()
    await host.startEngine()
    expect(await host.ask({ cleanUp: true })).toBe(true)
    expect([readFileSync(join(host.folder, 'of-the-container'), 'utf8'), existsSync(host.etc('resolv.pre-bowline-backup.conf'))]).toEqual([BEFORE, false])
  })

  test('in an /etc that is read-only a mounted resolv.conf can still be had, with its backup elsewhere', async () => {
    const host = await hostOf({ resolvConf: '' })
    writeFileSync(join(host.folder, 'of-the-container'), BEFORE)
    await host.run('mount', '--bind', join(host.folder, 'of-the-container'), '/etc/resolv.conf')
    await host.run('mount', '-o', 'remount,bind,ro', '/etc')
    await host.startEngine()
    expect(await host.set({ all: true })).toMatchObject({ through: 'file' })
    expect((await host.run('cat', '/run/bowline/resolv.pre-bowline-backup.conf')).stdout).toBe(BEFORE)
    await host.set(null)
    expect(await host.resolvConf()).toBe(BEFORE)
  })

  test('one that may never be changed is left, and that is said', async () => {
    const host = await hostOf({ resolvConf: BEFORE })
    await host.run('mount', '-o', 'remount,bind,ro', '/etc')
    await host.startEngine()
    await expect(host.set({ all: true })).rejects.toThrow('read-only disk')
    await host.run('mount', '-o', 'remount,bind,rw', '/etc')
    // Not every disk knows the mark.
    if ((await host.run('chattr', '+i', '/etc/resolv.conf')).code === 0) {
      await expect(host.set({ all: true })).rejects.toThrow('chattr +i')
      await host.run('chattr', '-i', '/etc/resolv.conf')
    }
    expect(await host.resolvConf()).toBe(BEFORE)
    expect(existsSync(host.etc('resolv.pre-bowline-backup.conf'))).toBe(false)
  })

  test('another program that writes it is noticed at once', async () => {
    const host = await hostOf({ resolvConf: BEFORE })
    await host.startEngine()
    await host.set({ all: true })
    const theirs = '# Generated by dhclient\nnameserver 192.0.2.54\n'
    writeFileSync(host.etc('resolv.conf'), theirs)
    expect(await host.said('the fault', ({ what }) => what === 'disturbed')).toMatchObject({ code: 'names-rewritten' })
    await host.said('the own resolvers', ({ what, servers }) => what === 'own-changed' && String(servers) === '192.0.2.54')
    expect(await host.resolvConf()).toContain('nameserver 100.100.100.100')
    await host.set(null)
    expect(await host.resolvConf()).toBe(theirs)
  })
})

describe.skipIf(resolved === undefined)('systemd-resolved', () => {
  const STUB = '../run/systemd/resolve/stub-resolv.conf'
  let daemon: Child

  async function startResolved(host: NamesHost): Promise<void> {
    daemon = host.daemon('systemd-resolved', join(resolved!, 'lib/systemd/systemd-resolved'))
    await host.waitForService('org.freedesktop.resolve1', daemon)
    await resolvectl(host, 'dns', 'eth0', '192.0.2.53')
    await resolvectl(host, 'domain', 'eth0', 'lan')
    await resolvectl(host, 'dnssec', 'eth0', 'no')
  }
  const resolvectl = (host: NamesHost, ...words: string[]): ReturnType<NamesHost['run']> => host.run(join(resolved!, 'usr/bin/resolvectl'), ...words)

  async function computer(): Promise<NamesHost> {
    const host = await hostOf({ resolvConf: { link: STUB } })
    await host.startBus()
    await startResolved(host)
    await finds(host, 'www.example', '198.51.100.1')
    await host.startEngine()
    return host
  }

  test('our names are asked of us, the others of those whom it asked before, and at the end all of them', async () => {
    const host = await computer()
    expect(await host.set({})).toEqual({ through: 'systemd-resolved', problems: [] })
    await finds(host, 'peer.net.example', '100.64.0.7')
    await finds(host, 'peer', '100.64.0.7')
    await finds(host, 'www.example', '198.51.100.1')
    expect([host.ours.asked('www.example'), host.own.asked('peer.net.example')]).toEqual([[], []])
    expect(await host.ask({ own: true })).toEqual({ servers: ['192.0.2.53'], search: ['lan'] })
    await host.set({ all: true })
    await finds(host, 'www.example', '100.64.0.99')
    await host.set(null)
    await finds(host, 'www.example', '198.51.100.1')
    await nobody(host, 'peer.net.example')
    expect(readlinkSync(host.etc('resolv.conf'))).toBe(STUB)
  })

  test('with an exit node the search domain of another link is ours too, and nothing but what is below it goes there', async () => {
    const host = await computer()
    await host.set({ all: true, exclusive: true })
    await finds(host, 'www.example', '100.64.0.99')
    const asked = host.own.asked('www.example').length
    await host.getent('secret.corp.example')
    await host.getent('www.example')
    expect(host.own.asked('secret.corp.example')).toEqual([])
    expect(host.own.asked('www.example')).toHaveLength(asked)
    await host.getent('printer.lan')
    expect(host.ours.asked('printer.lan').length).toBeGreaterThan(0)
  })

  test('it starts anew, and our names are ours again', async () => {
    const host = await computer()
    await host.set({})
    await finds(host, 'peer.net.example', '100.64.0.7')
    await daemon.stop()
    await startResolved(host)
    await finds(host, 'peer.net.example', '100.64.0.7')
    await finds(host, 'www.example', '198.51.100.1')
  })

  test('other resolvers of another network are told, and a killed engine leaves nothing once its device is gone', async () => {
    const host = await computer()
    await host.set({})
    await resolvectl(host, 'dns', 'eth0', '192.0.2.99')
    await host.said('the own resolvers', ({ what, servers }) => what === 'own-changed' && String(servers) === '192.0.2.99')
    await resolvectl(host, 'dns', 'eth0', '192.0.2.53')
    await host.killEngine()
    await host.removeDevice()
    await nobody(host, 'peer.net.example')
    await finds(host, 'www.example', '198.51.100.1')
    expect((await resolvectl(host, 'domain')).stdout).not.toContain('net.example')
  })

  test('who takes our settings away finds them back', async () => {
    const host = await computer()
    await host.set({})
    await finds(host, 'peer.net.example', '100.64.0.7')
    await resolvectl(host, 'revert', 'bowline0')
    expect(await host.said('the fault', ({ what }) => what === 'disturbed')).toMatchObject({ code: 'names-rewritten' })
    await finds(host, 'peer.net.example', '100.64.0.7')
  })
})

describe.skipIf(openresolv === undefined)('openresolv', () => {
  async function computer(): Promise<NamesHost> {
    const host = await hostOf({ resolvConf: '# Generated by resolvconf\n', packages: openresolv! })
    await give(host, BEFORE)
    await finds(host, 'www.example', '198.51.100.1')
    await host.startEngine()
    return host
  }
  const give = (host: NamesHost, text: string): ReturnType<NamesHost['run']> => host.run('sh', '-c', `printf '%s' '${text}' | /usr/sbin/resolvconf -a eth0.dhcp`)

  test('it has us alone while names are ours, tells others, and is as before at the end', async () => {
    const host = await computer()
    const before = await host.resolvConf()
    expect(await host.set({ all: true })).toEqual({ through: 'openresolv', problems: [] })
    await finds(host, 'peer', '100.64.0.7')
    await finds(host, 'www.example', '100.64.0.99')
    expect(await host.ask({ own: true })).toMatchObject({ servers: ['192.0.2.53'], search: ['lan'] })
    await give(host, 'nameserver 192.0.2.77\n')
    await host.said('the own resolvers', ({ what, servers }) => what === 'own-changed' && String(servers) === '192.0.2.77')
    expect((await host.resolvConf()).match(/^nameserver .*/gm)).toEqual(['nameserver 100.100.100.100'])
    await give(host, BEFORE)
    await host.said('the own resolvers', ({ what, servers }) => what === 'own-changed' && String(servers) === '192.0.2.53')
    await host.set(null)
    expect(await host.resolvConf()).toBe(before)
  })

  test('the record of a killed engine is taken away by the next', async () => {
    const host = await computer()
    const before = await host.resolvConf()
    await host.set({ all: true })
    await host.killEngine()
    await host.startEngine()
    expect([await host.ask({ cleanUp: true }), await host.ask({ cleanUp: true })]).toEqual([true, false])
    expect(await host.resolvConf()).toBe(before)
  })
})

describe.skipIf(debian === undefined)("Debian's resolvconf", () => {
  async function computer(): Promise<NamesHost> {
    const host = await hostOf({ resolvConf: { link: '/run/resolvconf/resolv.conf' }, packages: debian! })
    await host.run('/usr/sbin/resolvconf', '--enable-updates')
    await give(host, BEFORE)
    await finds(host, 'www.example', '198.51.100.1')
    await host.startEngine()
    return host
  }
  const give = (host: NamesHost, text: string): ReturnType<NamesHost['run']> => host.run('sh', '-c', `printf '%s' '${text}' | /usr/sbin/resolvconf -a eth0.dhcp`)

  test('its file has us alone, also after it wrote it anew, and is as before at the end', async () => {
    const host = await computer()
    const before = await host.resolvConf()
    expect(await host.set({ all: true })).toEqual({ through: 'resolvconf', problems: [] })
    await finds(host, 'peer', '100.64.0.7')
    await give(host, 'nameserver 192.0.2.77\n')
    await host.said('the own resolvers', ({ what, servers }) => what === 'own-changed' && String(servers) === '192.0.2.77')
    await waitFor('us alone', async () => String((await host.resolvConf()).match(/^nameserver .*/gm)) === 'nameserver 100.100.100.100', { withinMs: 30_000 })
    await give(host, BEFORE)
    await host.said('the own resolvers', ({ what, servers }) => what === 'own-changed' && String(servers) === '192.0.2.53')
    await host.set(null)
    expect(await host.resolvConf()).toBe(before)
  })

  test('the record of a killed engine is taken away by the next', async () => {
    const host = await computer()
    const before = await host.resolvConf()
    await host.set({ all: true })
    await host.killEngine()
    await host.startEngine()
    expect(await host.ask({ cleanUp: true })).toBe(true)
    expect(await host.resolvConf()).toBe(before)
  })
})

describe.skipIf(networkManager === undefined)('NetworkManager', () => {
  test('it leaves a link of ours alone, its own file tells the resolvers, and what it has last comes back', async () => {
    const host = await hostOf({ resolvConf: '', packages: networkManager! })
    await host.startBus()
    writeFileSync(host.etc('NetworkManager/NetworkManager.conf'), '[main]\nplugins=keyfile\ndns=default\nrc-manager=symlink\nauth-polkit=false\n[global-dns-domain-*]\nservers=192.0.2.53\n[global-dns]\nsearches=lan\n')
    const daemon = host.daemon('NetworkManager', join(networkManager!, 'usr/sbin/NetworkManager'), ['--debug'], { LD_LIBRARY_PATH: join(networkManager!, 'usr/lib/x86_64-linux-gnu') })
    await host.waitForService('org.freedesktop.NetworkManager', daemon)
    // It writes when something changes, and at this.
    process.kill(daemon.pid, 'SIGUSR1')
    await waitFor('its resolv.conf', async () => (await host.resolvConf()).includes('Generated by NetworkManager'), { withinMs: 60_000 })
    await finds(host, 'www.example', '198.51.100.1')
    await host.startEngine()
    expect(await host.set({ all: true })).toEqual({ through: 'network-manager', problems: [] })
    await finds(host, 'peer', '100.64.0.7')
    const conf = host.etc('NetworkManager/NetworkManager.conf')
    writeFileSync(conf, readFileSync(conf, 'utf8').replace('192.0.2.53', '192.0.2.88'))
    process.kill(daemon.pid, 'SIGHUP')
    await host.said('the own resolvers', ({ what, servers }) => what === 'own-changed' && String(servers) === '192.0.2.88')
    await finds(host, 'peer', '100.64.0.7')
    expect(host.heard.filter(({ what }) => what === 'disturbed')).toEqual([])
    await host.set(null)
    expect(lstatSync(host.etc('resolv.conf')).isSymbolicLink()).toBe(false)
    expect(await host.resolvConf()).toContain('192.0.2.88')
  })
})
