import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { KernelSettings } from '../../../../main/engine/os/linux/kernel-settings.ts'
import { RuntimeFile } from '../../../../main/engine/os/linux/runtime-file.ts'
import { makeTempDir, removeTempDir } from '../../../support/temp.ts'
import { EXIT, FORWARD, PLAIN } from './wishes.ts'

let dir: string
beforeEach(() => {
  dir = makeTempDir('sysctl')
  for (const [name, value] of Object.entries({
    'net/ipv4/ip_forward': '0', 'net/ipv6/conf/all/forwarding': '0', 'net/ipv6/conf/all/disable_ipv6': '0', 'net/ipv4/conf/all/src_valid_mark': '0', 'net/ipv4/conf/eth0/rp_filter': '1',
    'net/ipv6/conf/eth0/accept_ra': '1', 'net/ipv6/conf/lo/accept_ra': '1', 'net/ipv6/conf/wlan0/accept_ra': '0',
  })) write(name, value)
})
afterEach(() => removeTempDir(dir))

function write(name: string, value: string): void {
  mkdirSync(dirname(join(dir, name)), { recursive: true })
  writeFileSync(join(dir, name), `${value}\n`)
}
const read = (name: string): string => readFileSync(join(dir, name), 'utf8').trim()
const forwarding = { ...PLAIN, forward: FORWARD }

test('what is changed is told before it is changed, and is as it was afterwards', () => {
  const settings = new KernelSettings(dir)
  let told: readonly { name: string; before: string }[] = []
  const done = settings.apply(forwarding, (changed) => {
    told = [...changed]
    expect(read('net/ipv4/ip_forward')).toBe('0')
  })
  expect(done).toEqual({ forwarding: 'system', problems: [] })
  expect(told.map(({ name, before }) => `${name} ${before}`)).toEqual([
    'net/ipv4/conf/all/src_valid_mark 0', 'net/ipv4/ip_forward 0', 'net/ipv6/conf/eth0/accept_ra 1', 'net/ipv6/conf/all/forwarding 0',
  ])
  expect(read('net/ipv6/conf/eth0/accept_ra')).toBe('2')
  settings.putBack()
  expect([read('net/ipv4/ip_forward'), read('net/ipv6/conf/all/forwarding'), read('net/ipv6/conf/eth0/accept_ra'), read('net/ipv4/conf/all/src_valid_mark')]).toEqual(['0', '0', '1', '0'])
})

test('what somebody else had on, or set meanwhile, is left as it is', () => {
  write('net/ipv4/ip_forward', '1')
  const settings = new KernelSettings(dir)
  expect(settings.forwardsAlready).toBe(true)
  settings.apply(forwarding, () => {})
  write('net/ipv6/conf/eth0/accept_ra', '0')
  settings.putBack()
  expect([read('net/ipv4/ip_forward'), read('net/ipv6/conf/eth0/accept_ra'), read('net/ipv6/conf/all/forwarding')]).toEqual(['1', '0', '0'])
})

test('a change by another program is seen, and values from before stay those from before us', () => {
  const settings = new KernelSettings(dir)
  settings.apply(forwarding, () => {})
  expect(settings.isDisturbed(forwarding)).toBe(false)
  write('net/ipv4/ip_forward', '0')
  expect(settings.isDisturbed(forwarding)).toBe(true)
  settings.apply(forwarding, () => {})
  expect(settings.forwardsAlready).toBe(false)
  settings.apply(PLAIN, () => {})
  expect([read('net/ipv4/ip_forward'), read('net/ipv6/conf/eth0/accept_ra'), read('net/ipv4/conf/all/src_valid_mark')]).toEqual(['0', '1', '1'])
})

test('what cannot be written is said: who passes packets on, and what strict filters do', () => {
  write('net/ipv4/conf/all/src_valid_mark', '0')
  const settings = new KernelSettings(join(dir, 'nothing'))
  expect(settings.apply(forwarding, () => {})).toMatchObject({ forwarding: 'engine', problems: [{ code: 'forwarding-by-engine' }] })
  expect(settings.hasV6).toBe(false)
  if (process.getuid?.() === 0) return
  chmodSync(join(dir, 'net/ipv4/conf/all/src_valid_mark'), 0o444)
  expect(new KernelSettings(dir).apply(EXIT, () => {})).toMatchObject({ problems: [{ code: 'rp-filter' }] })
})

test('what an engine left is put back by the next one, and a file that lies changes nothing else', () => {
  const file = new RuntimeFile(dir)
  const first = new KernelSettings(dir)
  first.apply(forwarding, (changed) => file.write({ changed, apart: ['eth0', 'a b', '../x'] }))
  const left = new RuntimeFile(dir).read()
  expect(left.apart).toEqual(['eth0'])
  const second = new KernelSettings(dir)
  second.adopt([...left.changed, { name: 'kernel/core_pattern', before: '0', set: '1' }, { name: 'net/ipv6/conf/../../../x/accept_ra', before: '0', set: '1' }])
  expect(second.changed).toEqual(left.changed)
  second.putBack()
  expect(read('net/ipv4/ip_forward')).toBe('0')
  expect([file.remove(), file.remove()]).toEqual([true, false])
})

test.each(['', '{', '[]', 'null', '{"changed":[{"name":1}],"apart":7}', '{"changed":[{"name":"net/ipv4/ip_forward","before":"0; id","set":"1"}]}', `{"changed":"${'x'.repeat(100_000)}"}`])('a runtime file of %.40s is no file', (text) => {
  const file = new RuntimeFile(dir)
  writeFileSync(file.path, text)
  expect(file.read()).toEqual({ changed: [], apart: undefined })
})
