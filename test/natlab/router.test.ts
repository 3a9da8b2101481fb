/**
 * Routes, rules, firewall and kernel settings of a Linux computer for real: what a kernel makes of them, what an engine that died leaves,
 * and what becomes of it when other programs change it.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { EXIT, PATIENT, RouterLab, WANT } from './router-lab.ts'

const lab = new RouterLab()
beforeAll(() => lab.start(), 60_000)
beforeEach(() => lab.reset(), 60_000)
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(lab.holders.map(({ log }) => log).join('\n'))
})
afterAll(() => lab.stop(), 60_000)

test('a plain wish is rules, routes and a firewall, and all of it is gone again', async () => {
  const before = await lab.seen()
  const router = await lab.hold()
  expect(await router.call('obstacle')).toBeNull()
  expect(await router.set(WANT)).toEqual({ problems: [], firewall: 'nftables', forwarding: 'none' })
  expect((await lab.sh('ip -4 rule')).split('\n').map((line) => line.replaceAll(/\s+/g, ' ').trim())).toEqual([
    '0: from all lookup local', '5210: from all fwmark 0x80000/0xff0000 lookup main', '5230: from all fwmark 0x80000/0xff0000 lookup default',
    '5250: from all fwmark 0x80000/0xff0000 unreachable', '5270: from all lookup 52', '32766: from all lookup main', '32767: from all lookup default', '',
  ])
  expect(await lab.sh('ip route get 100.64.0.2')).toContain('dev bowline0')
  expect(await lab.sh('ip route get 198.51.100.9')).toContain('dev eth0')
  expect(await lab.can('ping -c 1 -W 5 192.168.70.1')).toBe(true)
  await router.call('close', false)
  expect(await lab.seen()).toBe(before)
})

test('with an exit node everything but the engine’s own packets goes into the tunnel, with the LAN or without, also what is bound to a card', async () => {
  const router = await lab.hold()
  await router.set(EXIT)
  for (const to of ['198.51.100.9', '2001:db8:99::9', '192.168.70.1', '2001:db8:70::1']) {
    expect(await lab.sh(`ip route get ${to}`)).toContain('dev bowline0')
    expect(await lab.sh(`ip route get ${to} mark 0x80000`)).toContain('dev eth0')
    expect(await lab.can(`ping -c 1 -W 1 -I eth0 ${to}`)).toBe(false)
    expect(await lab.can(`ping -c 1 -W 20 -m 524288 ${to}`)).toBe(true)
  }
  await router.set({ ...EXIT, allowLan: true, bypass: ['192.168.70.0/24', '2001:db8:70::/64'] })
  for (const to of ['192.168.70.1', '2001:db8:70::1']) expect(await lab.can(`ping -c 1 -W 20 ${to}`)).toBe(true)
  for (const to of ['198.51.100.9', '2001:db8:99::9']) expect(await lab.can(`ping -c 1 -W 1 -I eth0 ${to}`)).toBe(false)
  await router.set(WANT)
  expect(await lab.can('ping -c 1 -W 20 198.51.100.9')).toBe(true)
  expect(await lab.can('ping -c 1 -W 20 2001:db8:99::9')).toBe(true)
})

test('nothing leaves while the wish changes, the engine is killed, another takes over and the device comes and goes', async () => {
  const first = await lab.hold()
  await first.set(EXIT)
  const watch = await lab.countAtWorld()
  const senders = lab.keepSending(['198.51.100.9', '2001:db8:99::9', '192.168.70.1'])
  await first.set({ ...EXIT, routes: [...EXIT.routes, '10.9.0.0/24'] })
  await first.set({ ...EXIT, internet: 'blocked' })
  await first.set({ ...EXIT, device: '' })
  await first.set(EXIT)
  await lab.sh('ip link delete bowline0')
  await waitFor('the loss to be told', () => first.disturbed.some(({ code }) => code === 'tun-gone'), PATIENT)
  await lab.addDevice()
  await first.set(EXIT)
  await first.kill()
  await lab.sh('ip link delete bowline0')
  const second = await lab.hold()
  expect(await second.call('isHolding')).toBe(true)
  expect(await second.set(EXIT)).toMatchObject({ problems: [{ code: 'tun-gone' }], firewall: 'nftables' })
  await lab.addDevice()
  expect(await second.set(EXIT)).toMatchObject({ problems: [] })
  await second.call('close', true)
  expect(await second.call('isHolding')).toBe(true)
  expect(await senders()).toBeGreaterThan(10)
  expect(await watch()).toEqual({ v4: 0, v6: 0 })
  // The check of the check: when all is taken away, they do get there.
  expect(await second.call('cleanUp')).toBe(true)
  const after = lab.keepSending(['198.51.100.9', '2001:db8:99::9'])
  await waitFor('packets to reach the world', async () => {
    const { v4, v6 } = await watch()
    return v4 > 0 && v6 > 0
  }, PATIENT)
  await after()
})

test('what an engine left that was killed is found and taken away, with its file or without', async () => {
  const before = await lab.seen()
  for (const withFile of [true, false]) {
    const first = await lab.hold()
    await first.set({ ...EXIT, forward: { subnets: ['192.168.70.0/24'], isExitNode: true, sourceNat: true, isStateful: true } })
    await first.kill()
    const second = await lab.hold()
    if (!withFile) await lab.forgetRuntime()
    expect(await second.call('cleanUp')).toBe(true)
    if (!withFile) await lab.sh('sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.src_valid_mark=0 net.ipv6.conf.all.forwarding=0 net.ipv6.conf.eth0.accept_ra=1')
    expect(await lab.seen()).toBe(before)
    expect(await second.call('cleanUp')).toBe(false)
  }
})

test('what keeps traffic in stays through a clean-up that is to hold', async () => {
  const first = await lab.hold()
  await first.set(EXIT)
  await first.kill()
  const second = await lab.hold()
  await second.call('cleanUp', { hold: true })
  expect(await second.call('isHolding')).toBe(true)
  expect(await lab.can('ping -c 1 -W 1 -I eth0 198.51.100.9')).toBe(false)
  await second.call('cleanUp')
  expect(await lab.can('ping -c 1 -W 20 198.51.100.9')).toBe(true)
})

test.each([
  ['rules-gone', 'ip rule delete preference 5270; ip -6 rule delete preference 5210'],
  ['rules-gone', 'ip rule flush; ip rule add preference 32766 table main; ip rule add preference 32767 table default'],
  ['routes-gone', 'ip route flush table 52; ip -6 route flush table 52'],
  ['routes-gone', 'ip link set bowline0 down'],
  ['routes-gone', 'ip address flush dev bowline0'],
  ['firewall-flushed', 'nft flush ruleset'],
  ['firewall-flushed', 'nft flush chain inet bowline output'],
  ['forwarding-off', 'sysctl -qw net.ipv4.ip_forward=0; ip address add 192.0.2.1/32 dev lo'],
])('another program does what is %s: %s, and it is told and put back', async (code, command) => {
  const router = await lab.hold()
  await router.set({ ...EXIT, forward: { subnets: ['192.168.70.0/24'], isExitNode: false, sourceNat: true, isStateful: false } })
  const before = await lab.seen()
  await lab.sh(command)
  await waitFor('it to be told', () => router.disturbed.some((one) => one.code === code), PATIENT)
  await waitFor('it to be put back', async () => {
    const now = await lab.seen()
    if (now !== before) throw new Error(now)
    return true
  }, PATIENT)
})

test('a program that goes on undoing things is named as such, and traffic is kept in all the same', async () => {
  const router = await lab.hold()
  await router.set(EXIT)
  for (let i = 0; i < 8; i++) {
    await lab.sh('nft delete table inet bowline')
    await waitFor('it to be back', () => lab.can('nft list chain inet bowline output'), PATIENT)
  }
  expect(router.disturbed.at(-1)?.text).toContain('again and again')
})

test('firewalls of others get a door and are as before afterwards, byte for byte', async () => {
  await lab.sh(`iptables-nft -P INPUT DROP; iptables-nft -N ufw-before-input; iptables-nft -A INPUT -j ufw-before-input
    iptables-nft -A ufw-before-input -i lo -j ACCEPT; iptables-nft -A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; iptables-nft -P FORWARD DROP
    iptables-nft -A INPUT -m comment --comment "hi there" -s 192.0.2.0/24 -j REJECT; ip6tables-nft -P INPUT DROP; ip6tables-nft -A INPUT -p ipv6-icmp -j ACCEPT`)
  await lab.sh(`nft -f - <<'END'
table inet firewalld {
  chain filter_INPUT { type filter hook input priority filter + 10; policy accept; ct state { established, related } accept; iifname "lo" accept; ip protocol icmp accept; ip6 nexthdr icmpv6 accept; reject with icmpx admin-prohibited; }
  chain filter_FORWARD { type filter hook forward priority filter + 10; policy accept; reject with icmpx admin-prohibited; }
}
table inet own {
  chain input { type filter hook input priority 0; policy drop; ct state established accept; meta l4proto { icmp, ipv6-icmp } accept; }
  chain watching { type filter hook input priority -10; policy accept; counter; }
}
END`)
  const before = await lab.seen()
  const router = await lab.hold()
  await router.set(WANT)
  const doors = (await lab.sh('nft -s list ruleset')).split('\n').filter((line) => line.includes('comment "bowline"')).map((line) => line.trim())
  expect(doors.filter((line) => line.startsWith('iifname "bowline0"'))).toHaveLength(6)
  expect(doors.filter((line) => line.startsWith('udp dport 41641'))).toHaveLength(4)
  expect(await lab.sh('nft list chain inet own watching')).not.toContain('bowline')
  // A rule that somebody puts before ours, and a firewall that is loaded anew.
  await lab.sh('iptables-nft -F INPUT')
  await waitFor('the door to be back', () => lab.can('nft list chain ip filter INPUT | grep -q bowline0'), PATIENT)
  await lab.sh('iptables-nft -A INPUT -j ufw-before-input; iptables-nft -A INPUT -m comment --comment "hi there" -s 192.0.2.0/24 -j REJECT')
  await router.call('close', false)
  expect(await lab.seen()).toBe(before)
})

test('nobody outside claims an address of the tunnel or reaches ours, containers do, and it is counted', async () => {
  const router = await lab.hold()
  await router.set(WANT)
  await lab.sh('ip address add 100.64.0.2/32 dev lo; ip address add fd7a:115c:a1e0::2/128 dev lo nodad; ip route add 100.64.0.1/32 via 192.168.70.2; ip -6 route add fd7a:115c:a1e0::1/128 via 2001:db8:70::2', lab.world)
  const tries = ['ping -c 1 -W 1 -I 100.64.0.2 192.168.70.2', 'ping -c 1 -W 1 100.64.0.1', 'ping -c 1 -W 1 -I fd7a:115c:a1e0::2 2001:db8:70::2', 'ping -c 1 -W 1 fd7a:115c:a1e0::1']
  for (const attempt of tries) {
    await waitFor(`${attempt} to be counted`, async () => {
      const before = await router.call<{ spoofed: number }>('dropped')
      await expect(lab.sh(attempt, lab.world)).rejects.toThrow()
      return (await router.call<{ spoofed: number }>('dropped')).spoofed > before.spoofed
    }, PATIENT)
  }
  await lab.sh('ip link add docker0 type bridge; ip address add 172.17.0.1/16 dev docker0; ip link set docker0 up')
  await waitFor('the bridge of containers to be let in', () => lab.can('nft list chain inet bowline input | grep -q docker0'), PATIENT)
})

test('a provider that gives addresses of the same range is not cut off', async () => {
  await lab.sh('ip address add 100.70.0.2/16 dev eth0')
  await lab.sh('ip address add 100.70.0.1/16 dev eth0', lab.world)
  const router = await lab.hold()
  await router.set(WANT)
  expect(await lab.can('ping -c 1 -W 20 100.70.0.1')).toBe(true)
  await lab.sh('ip address add 100.64.0.2/32 dev lo', lab.world)
  await expect(lab.sh('ping -c 1 -W 1 -I 100.64.0.2 192.168.70.2', lab.world)).rejects.toThrow()
  await lab.sh('ip address add 100.64.0.1/32 dev eth0')
  await expect(router.set({ ...WANT, mtu: 1300 })).rejects.toMatchObject({ code: 'address-in-use' })
})

test('an exit node is used where reverse paths are filtered strictly', async () => {
  await lab.sh('sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1')
  const router = await lab.hold()
  expect(await router.set(EXIT)).toMatchObject({ problems: [] })
  expect(await lab.can('ping -c 1 -W 20 -m 524288 198.51.100.9')).toBe(true)
})

test('a router that hears of routers goes on hearing them while it is one, and all is put back', async () => {
  const before = await lab.seen()
  const router = await lab.hold()
  const forward = { subnets: ['192.168.70.0/24'], isExitNode: false, sourceNat: true, isStateful: false }
  expect(await router.set({ ...WANT, forward })).toEqual({ problems: [], firewall: 'nftables', forwarding: 'system' })
  expect(await lab.sh('sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv6.conf.eth0.accept_ra')).toBe('1\n1\n2\n')
  await router.set({ ...WANT, forward })
  await router.set(WANT)
  expect(await lab.sh('sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv6.conf.eth0.accept_ra')).toBe('0\n0\n1\n')
  await router.call('close', false)
  expect(await lab.seen()).toBe(before)
})

test('where kernel settings are read-only the engine passes packets on, and says so', async () => {
  const router = await lab.hold('unshare', '-m', 'sh', '-c', 'mount -o bind,ro /proc/sys /proc/sys && exec "$0" "$@"')
  const done = await router.set({ ...WANT, forward: { subnets: ['192.168.70.0/24'], isExitNode: false, sourceNat: true, isStateful: false } })
  expect(done).toMatchObject({ forwarding: 'engine', problems: [{ code: 'forwarding-by-engine' }] })
})

test('with IPv6 switched off the rest works', async () => {
  await lab.sh('sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1')
  const before = await lab.seen()
  const router = await lab.hold()
  expect(await router.set(EXIT)).toMatchObject({ problems: [], firewall: 'nftables' })
  expect(await lab.sh('ip route get 198.51.100.9')).toContain('dev bowline0')
  await router.call('close', false)
  expect(await lab.seen()).toBe(before)
})

test.each(['nft', 'legacy'])('without nft, iptables (%s) does the same', async (kind) => {
  const hide = `for d in /usr/sbin /sbin /usr/bin /bin; do [ -e $d/nft ] && mount --bind /dev/null $d/nft; done; for f in iptables ip6tables; do for w in save restore; do mount --bind /usr/sbin/xtables-${kind}-multi /usr/sbin/$f-$w 2>/dev/null; done; done; exec "$0" "$@"`
  const router = await lab.hold('unshare', '-m', 'sh', '-c', hide)
  expect(await router.set({ ...EXIT, forward: { subnets: ['192.168.70.0/24'], isExitNode: true, sourceNat: true, isStateful: true } })).toMatchObject({ problems: [], firewall: 'iptables' })
  for (const to of ['198.51.100.9', '2001:db8:99::9']) {
    expect(await lab.can(`ping -c 1 -W 1 -I eth0 ${to}`)).toBe(false)
    expect(await lab.can(`ping -c 1 -W 20 -m 524288 ${to}`)).toBe(true)
  }
  await lab.sh(`iptables-${kind} -F OUTPUT; iptables-${kind} -F bowline-forward; ip6tables-${kind} -I OUTPUT -j ACCEPT`)
  await waitFor('it to be told', () => router.disturbed.some(({ code }) => code === 'firewall-flushed'), PATIENT)
  await waitFor('the rules to stand again', async () => !(await lab.can('ping -c 1 -W 1 -I eth0 198.51.100.9')) && !(await lab.can('ping -c 1 -W 1 -I eth0 2001:db8:99::9')), PATIENT)
  await lab.sh(`ip6tables-${kind} -D OUTPUT -j ACCEPT`)
  await router.set(WANT)
  expect(await lab.can('ping -c 1 -W 20 198.51.100.9')).toBe(true)
  expect(await router.call('cleanUp')).toBe(true)
  expect(await lab.sh(`iptables-${kind}-save; ip6tables-${kind}-save`)).not.toContain('bowline')
})

test('without any firewall routes keep traffic in, and it is said', async () => {
  const hide = 'for d in /usr/sbin /sbin /usr/bin /bin; do for p in nft iptables-restore ip6tables-restore iptables-save ip6tables-save; do [ -e $d/$p ] && mount --bind /dev/null $d/$p; done; done; exec "$0" "$@"'
  const router = await lab.hold('unshare', '-m', 'sh', '-c', hide)
  expect(await router.set(EXIT)).toMatchObject({ firewall: 'none', problems: [{ code: 'firewall-missing' }] })
  expect(await lab.sh('ip route get 198.51.100.9')).toContain('dev bowline0')
  await lab.sh('ip link delete bowline0')
  expect(await lab.can('ping -c 1 -W 1 198.51.100.9')).toBe(false)
  expect(await lab.can('ping -c 1 -W 1 2001:db8:99::9')).toBe(false)
})

test('a person’s word about the firewall is kept: nothing at all, or chains that nobody is sent into', async () => {
  const router = await lab.hold()
  await router.set(WANT)
  expect(await router.set({ ...WANT, netfilter: 'off' })).toMatchObject({ firewall: 'off', problems: [] })
  expect(await lab.sh('nft list ruleset')).toBe('')
  expect(await router.set({ ...WANT, netfilter: 'nodivert' })).toMatchObject({ firewall: 'iptables', problems: [] })
  const rules = await lab.sh('iptables-save')
  expect(rules).toContain(':bowline-input')
  expect(rules).not.toMatch(/-j bowline-/)
})

test('a wish that fails half way leaves the one before, and with an exit node what keeps traffic in', async () => {
  const router = await lab.hold()
  await router.set(WANT)
  const before = await lab.seen()
  // IPv6 wants 1280, so that half of it works.
  const broken = { mtu: 1000 }
  await expect(router.set({ ...WANT, ...broken, routes: [...WANT.routes, '10.9.0.0/24'] })).rejects.toMatchObject({ code: 'io' })
  expect(await lab.seen()).toBe(before)
  await expect(router.set({ ...EXIT, ...broken })).rejects.toMatchObject({ code: 'io' })
  expect(await router.call('isHolding')).toBe(true)
  expect(await lab.can('ping -c 1 -W 1 -I eth0 198.51.100.9')).toBe(false)
  await router.set(WANT)
  expect(await lab.seen()).toBe(before)
})

test('ten thousand peers are put on, and one more is one change', async () => {
  const router = await lab.hold()
  const routes = Array.from({ length: 10_000 }, (_, i) => `100.${80 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32`)
  await router.set({ ...WANT, routes })
  await router.set({ ...WANT, routes: [...routes, '100.120.0.1/32'] })
  expect((await lab.sh('ip route show table 52')).trim().split('\n')).toHaveLength(10_001)
  await router.call('close', false)
  expect(await lab.sh('ip route show table 52 2>/dev/null || true')).toBe('')
})

test('one engine alone has the computer, until it dies', async () => {
  const first = await lab.hold()
  const second = await lab.hold()
  for (const lock of ['lock', 'lockName']) {
    expect(await first.call(lock)).toBeNull()
    expect(await first.call(lock)).toBeNull()
    expect(await second.call(lock)).toMatchObject({ code: 'other-engine' })
  }
  await first.kill()
  for (const lock of ['lock', 'lockName']) expect(await second.call(lock)).toBeNull()
})

test('another client that has the computer is named, and its rules are left to it', async () => {
  await lab.sh('ip tuntap add tailscale0 mode tun; ip link set tailscale0 up; ip route add 100.100.100.100/32 dev tailscale0 table 52; ip rule add preference 5270 table 52')
  const router = await lab.hold()
  expect(await router.call('obstacle')).toMatchObject({ code: 'tailscaled-runs', text: expect.stringContaining('tailscale0') as string })
  await router.call('cleanUp')
  expect(await lab.sh('ip rule')).toContain('5270')
  const helpless = await lab.hold('setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin')
  expect(await helpless.call('obstacle')).toMatchObject({ code: 'no-rights' })
  const blind = await lab.hold('unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /dev/net && exec "$0" "$@"')
  expect(await blind.call('obstacle')).toMatchObject({ code: 'no-tun' })
})
