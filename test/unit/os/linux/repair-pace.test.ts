import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { RepairPace } from '../../../../main/engine/os/linux/repair-pace.ts'
import { suspectOf } from '../../../../main/engine/os/linux/suspects.ts'
import { makeTempDir, removeTempDir } from '../../../support/temp.ts'

test('five repairs a minute are at once, the sixth waits, and one that keeps traffic in never does', () => {
  const pace = new RepairPace()
  for (let i = 0; i < 5; i++) expect(pace.repair(i * 1_000, false)).toEqual({ waitMs: 0, isFight: false })
  expect(pace.repair(5_000, false)).toEqual({ waitMs: 9_000, isFight: true })
  expect(pace.repair(5_001, true)).toEqual({ waitMs: 0, isFight: true })
  expect(pace.repair(15_001, false)).toEqual({ waitMs: 0, isFight: true })
  expect(pace.repair(100_000, false)).toEqual({ waitMs: 0, isFight: false })
})

test('looks that take long are rare, within bounds', () => {
  const pace = new RepairPace()
  expect(pace.nextLookMs(0, 50)).toBe(50)
  pace.looked(1_000, 200)
  expect(pace.nextLookMs(1_000, 50)).toBe(2_000)
  expect(pace.nextLookMs(4_000, 50)).toBe(50)
  pace.looked(5_000, 60_000)
  expect(pace.nextLookMs(5_000, 50)).toBe(10_000)
})

test('a program that is known for it is named while it runs', () => {
  const proc = makeTempDir('proc')
  try {
    for (const [pid, comm] of [['17', 'systemd-network'], ['18', 'bash'], ['self', 'firewalld']] as const) {
      mkdirSync(join(proc, pid))
      writeFileSync(join(proc, pid, 'comm'), `${comm}\n`)
    }
    mkdirSync(join(proc, '19'))
    expect(suspectOf('rules-gone', proc)).toContain('ManageForeignRoutingPolicyRules=no')
    expect(suspectOf('firewall-flushed', proc)).toBe('')
    expect(suspectOf('tun-gone', proc)).toBe('')
    expect(suspectOf('rules-gone', join(proc, 'none'))).toBe('')
  } finally {
    removeTempDir(proc)
  }
})
