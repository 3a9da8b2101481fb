import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { MachineRoutes } from '../../../../main/engine/core/plan/machine.ts'
import { hasLines, heldRoutes, isHolding, isPlainWish, planOffV6, planRemoval, planRoutes, wantedRoutes } from '../../../../main/engine/os/linux/routes-plan.ts'
import type { Family, RouteRow, RouteState, RuleRow } from '../../../../main/engine/os/linux/routes-state.ts'
import { EXIT, PLAIN } from './wishes.ts'

const EMPTY: RouteState = {
  device: { name: 'bowline0', index: 5, isUp: false, mtu: 1500, queueLength: 500, addresses: [] }, rules: { 4: [], 6: [] }, routes: { 4: [], 6: [] }, hasV6: true,
}

/** What the kernel makes of lines, by its own rules: a route's key is prefix and metric, and a default metric of IPv6. Throws as `ip` fails. */
function carryOut(lines: readonly string[], state: RouteState, family: Family): RouteState {
  let device = state.device
  let rules = [...state.rules[family]]
  let routes = [...state.routes[family]]
  for (const line of lines) {
    const [object, verb, ...words] = line.split(' ')
    const after = (word: string): string | undefined => (words.includes(word) ? words[words.indexOf(word) + 1] : undefined)
    if (object === 'link') device = { ...device!, isUp: true, mtu: Number(after('mtu')), queueLength: Number(after('txqueuelen')) }
    else if (object === 'address') {
      if ((verb === 'add') === device!.addresses.includes(words[0]!)) throw new Error(line)
      device = { ...device!, addresses: verb === 'add' ? [...device!.addresses, words[0]!] : device!.addresses.filter((one) => one !== words[0]) }
    } else if (object === 'rule') {
      const only = /ipproto .*?(?= table)/.exec(line)?.[0] ?? ''
      const rule: RuleRow = { preference: Number(after('preference')), mark: after('fwmark') ?? '', to: after('table') ?? after('type')!, only }
      const at = rules.findIndex((one) => JSON.stringify(one) === JSON.stringify(rule))
      if ((verb === 'add') === at >= 0) throw new Error(line)
      if (verb === 'add') rules.push(rule)
      else rules = rules.filter((_, i) => i !== at)
    } else {
      const kind = words[0] === 'throw' || words[0] === 'unreachable' ? words[0] : 'device'
      const row: RouteRow = { kind, prefix: kind === 'device' ? words[0]! : words[1]!, metric: Number(after('metric') ?? 0), ...(kind === 'device' ? { device: after('dev')! } : {}) }
      if (row.kind === 'device' && device === undefined) throw new Error(line)
      const left = routes.filter((one) => one.prefix !== row.prefix || one.metric !== row.metric)
      if (verb === 'delete' && left.length === routes.length) throw new Error(line)
      routes = verb === 'delete' ? left : [...left, row]
    }
  }
  return { ...state, device, rules: { ...state.rules, [family]: rules }, routes: { ...state.routes, [family]: routes } }
}

function applied(want: MachineRoutes, now: RouteState): RouteState {
  const plan = planRoutes(want, now)
  return carryOut(plan[6], carryOut(plan[4], now, 4), 6)
}

/** Which way a packet goes by longest prefix, then lowest metric: 'out' is the main table. */
function way(state: RouteState, family: Family, bits: (prefix: string) => number): 'out' | 'tunnel' | 'nowhere' {
  if (!state.rules[family].some(({ preference }) => preference === 5270)) return 'out'
  const best = state.routes[family].filter(({ prefix }) => bits(prefix) >= 0).toSorted((a, b) => bits(b.prefix) - bits(a.prefix) || a.metric - b.metric)[0]
  return best === undefined || best.kind === 'throw' ? 'out' : best.kind === 'device' ? 'tunnel' : 'nowhere'
}

test('a plain wish on an empty system is addresses, device, tunnel routes and four rules', () => {
  const plan = planRoutes(PLAIN, EMPTY)
  expect(plan[4]).toEqual([
    'link set dev bowline0 mtu 1280 txqueuelen 500 up',
    'address add 100.64.0.1/32 dev bowline0',
    'route replace 100.100.100.100/32 dev bowline0 table 52',
    'route replace 100.64.0.2/32 dev bowline0 table 52',
    'rule add preference 5210 fwmark 0x80000/0xff0000 table main',
    'rule add preference 5230 fwmark 0x80000/0xff0000 table default',
    'rule add preference 5250 fwmark 0x80000/0xff0000 type unreachable',
    'rule add preference 5270 table 52',
  ])
  expect(plan[6]).toEqual([
    'address add fd7a:115c:a1e0::1/128 dev bowline0 nodad',
    'route replace fd7a:115c:a1e0::/48 dev bowline0 metric 1024 table 52',
    ...plan[4].slice(4),
  ])
})

test('with an exit node, what keeps traffic in is put first, then what stays out, and the default route last', () => {
  const lines = planRoutes(EXIT, applied(PLAIN, EMPTY))
  expect(lines[4]).toEqual([
    'route replace unreachable 0.0.0.0/0 metric 4294967295 table 52',
    'route replace throw 169.254.0.0/16 table 52',
    'route replace throw 224.0.0.0/4 table 52',
    'route replace throw 255.255.255.255/32 table 52',
    'route replace throw 192.168.1.0/24 table 52',
    'route replace 0.0.0.0/0 dev bowline0 table 52',
    'rule add preference 5260 ipproto udp sport 68 dport 67 table main',
  ])
  expect(lines[6]).toEqual([
    'route replace unreachable ::/0 metric 4294967295 table 52',
    'route replace throw fe80::/10 metric 1024 table 52',
    'route replace throw ff00::/8 metric 1024 table 52',
    'route replace throw 2001:db8:1::/64 metric 1024 table 52',
    'route replace ::/0 dev bowline0 metric 1024 table 52',
    'rule add preference 5260 ipproto udp sport 546 dport 547 table main',
  ])
})

test('going back to direct takes the tunnel’s default route away before what keeps traffic in', () => {
  const { 4: lines } = planRoutes(PLAIN, applied(EXIT, EMPTY))
  expect(lines.at(0)).toBe('rule delete preference 5260 ipproto udp sport 68 dport 67 table main')
  expect(lines.indexOf('route delete 0.0.0.0/0 dev bowline0 table 52')).toBeLessThan(lines.indexOf('route delete unreachable 0.0.0.0/0 metric 4294967295 table 52'))
})

test('one more peer among ten thousand is one line, and a network that is allowed or no longer allowed is one change of one route', () => {
  const routes = Array.from({ length: 10_000 }, (_, i) => `100.${64 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32`)
  const small = applied(PLAIN, EMPTY)
  const now = { ...small, routes: { 4: wantedRoutes({ ...PLAIN, routes }, 4), 6: [] } }
  expect(planRoutes({ ...PLAIN, routes: [...routes, '100.127.0.1/32'] }, now)).toEqual({ 4: ['route replace 100.127.0.1/32 dev bowline0 table 52'], 6: [] })
  const captured = { ...EXIT, bypass: [], routes: [...EXIT.routes, '192.168.1.0/24', '2001:db8:1::/64'], allowLan: true }
  expect(planRoutes(captured, applied(EXIT, EMPTY))).toEqual({ 4: ['route replace 192.168.1.0/24 dev bowline0 table 52'], 6: ['route replace 2001:db8:1::/64 dev bowline0 metric 1024 table 52'] })
})

test('without the device only what does not hang on it is put, and that holds', () => {
  const now = applied(EXIT, { ...EMPTY, device: undefined })
  expect(now.routes[4].every(({ kind }) => kind !== 'device')).toBe(true)
  expect(isHolding(now)).toBe(true)
  expect(isHolding(applied(PLAIN, EMPTY))).toBe(false)
  expect(way(now, 4, (prefix) => (prefix.endsWith('/0') ? 0 : -1))).toBe('nowhere')
})

test('where IPv6 is switched off it is left out, but for what keeps it in should it come back', () => {
  const off = { ...EMPTY, hasV6: false }
  expect(planRoutes(EXIT, off)[6]).toEqual([])
  expect(planOffV6(PLAIN, off)).toEqual([])
  expect(planOffV6(EXIT, off)[0]).toBe('route replace unreachable ::/0 metric 4294967295 table 52')
  expect(planOffV6(EXIT, off).join('\n')).not.toContain('dev bowline0')
})

test('what another client has in the same table stays, and so do the rules then', () => {
  const now = applied(PLAIN, EMPTY)
  const shared = { ...now, routes: { ...now.routes, 4: [...now.routes[4], { kind: 'device', prefix: '100.64.0.9/32', device: 'tailscale0', metric: 0 } as const] } }
  expect(planRemoval('bowline0', shared)[4].filter((line) => line.startsWith('rule'))).toEqual([])
  expect(planRemoval('bowline0', shared)[4].join('\n')).not.toContain('tailscale0')
})

test('a wish that is not plain text of addresses is told apart', () => {
  expect(isPlainWish(EXIT)).toBe(true)
  for (const bad of ['100.64.0.2', '100.64.0.2/32 dev eth0', '1.2.3.4/33', '0x1.2.3.4/32', '::0/0', '1.2.3.4/32\nrule flush']) expect(isPlainWish({ ...EXIT, routes: [bad] })).toBe(false)
  for (const device of ['', '-x', 'a b', 'Bowline0', 'x'.repeat(16)]) expect(isPlainWish({ ...EXIT, device })).toBe(false)
  expect(isPlainWish({ ...EXIT, mtu: 1.5 })).toBe(false)
})

const prefixes = fc.subarray(['100.64.0.2/32', '100.64.0.3/32', '10.9.0.0/24', '10.0.0.0/8', 'fd7a:115c:a1e0::/48', '2001:db8:2::/64', '192.168.1.0/24', '2001:db8:1::/64'])
const wishes = fc.record({
  isIn: fc.constantFrom('direct', 'exit', 'blocked'), routes: prefixes, bypass: prefixes, allowLan: fc.boolean(), addresses: fc.subarray([...PLAIN.addresses]),
}).map(({ isIn, routes, ...rest }): MachineRoutes => ({ ...PLAIN, ...rest, internet: isIn as MachineRoutes['internet'], routes: isIn === 'direct' ? routes : ['0.0.0.0/0', '::/0', ...routes] }))
const junk = fc.array(fc.record({
  kind: fc.constantFrom('device' as const, 'throw' as const, 'unreachable' as const), prefix: fc.constantFrom('100.64.0.2/32', '10.0.0.0/8', '0.0.0.0/0'), metric: fc.constantFrom(0, 4_294_967_295),
}).map((row): RouteRow => (row.kind === 'device' ? { ...row, device: 'bowline0' } : row)), { maxLength: 4 })

test('from any state any wish is reached, once and for all, and nothing leaves beside the tunnel on the way between two that keep it in', () => {
  fc.assert(fc.property(fc.array(wishes, { minLength: 1, maxLength: 5 }), junk, fc.boolean(), (list, rubbish, hasDevice) => {
    const clean = rubbish.filter((row, i) => rubbish.findIndex((one) => one.prefix === row.prefix && one.metric === row.metric) === i)
    let now: RouteState = { ...EMPTY, ...(hasDevice ? {} : { device: undefined }), routes: { 4: hasDevice ? clean : clean.filter(({ kind }) => kind !== 'device'), 6: [] } }
    let before: MachineRoutes | undefined
    for (const want of list) {
      const plan = planRoutes(want, now)
      for (const family of [4, 6] as const) {
        for (let step = 1; step <= plan[family].length; step++) {
          const between = carryOut(plan[family].slice(0, step), now, family)
          if (before && before.internet !== 'direct' && want.internet !== 'direct') expect(way(between, family, (prefix) => (prefix.endsWith('/0') ? 0 : -1))).toBe(hasDevice ? 'tunnel' : 'nowhere')
        }
        now = carryOut(plan[family], now, family)
        const sorted = (rows: readonly RouteRow[]): string[] => rows.map((row) => JSON.stringify([row.kind, row.prefix, row.metric, row.device])).toSorted()
        expect(sorted(now.routes[family])).toEqual(sorted(wantedRoutes(want, family).filter(({ kind }) => hasDevice || kind !== 'device')))
      }
      expect(hasLines(planRoutes(want, now))).toBe(false)
      before = want
    }
    const held = applied(heldRoutes(list.at(-1)!), now)
    expect(isHolding(held)).toBe(true)
    const removal = planRemoval('bowline0', held)
    const gone = carryOut(removal[6], carryOut(removal[4], held, 4), 6)
    expect([gone.rules, gone.routes]).toEqual([{ 4: [], 6: [] }, { 4: [], 6: [] }])
  }))
})
