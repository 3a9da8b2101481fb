/**
 * Names of Windows: rules of the policy table, servers and suffix of the interface.
 */
import { describe, expect, test } from 'vitest'
import { hasPolicyRules, planWindowsNames, windowsRulesLeft } from '../../../../main/engine/os/windows/dns-plan.ts'
import { WindowsDns } from '../../../../main/engine/os/windows/dns.ts'
import { ALL, FakeSystem, planText, SPLIT } from '../plan-text.ts'

const T = String.raw`HKLM\SYSTEM\CurrentControlSet\Services\Dnscache\Parameters\DnsPolicyConfig`
const LONG = T.replace('HKLM', 'HKEY_LOCAL_MACHINE')
const rule = (number: number): string => String.raw`${T}\{6D2A7C10-53E8-4B0F-9C41-B0B11E00000${number}}`
const split = { index: 12, want: SPLIT }
const all = { index: 12, want: ALL }
const suffix = (domain: string): string => `? powershell -NoProfile -NonInteractive -Command Set-DnsClient -InterfaceIndex 12 -ConnectionSpecificSuffix '${domain}'`

describe('the plan', () => {
  test('of some names is one rule, whole before it has names', () => {
    expect(planText(planWindowsNames(undefined, split))).toEqual([
      `reg add ${rule(0)} /v Version /t REG_DWORD /d 1 /f`,
      `reg add ${rule(0)} /v GenericDNSServers /t REG_SZ /d 100.100.100.100; fd7a:115c:a1e0::53 /f`,
      `reg add ${rule(0)} /v ConfigOptions /t REG_DWORD /d 8 /f`,
      String.raw`reg add ${rule(0)} /v Name /t REG_MULTI_SZ /d .lab.internal\0.corp.example /f`,
      suffix('lab.internal'),
      '? ipconfig /flushdns',
    ])
  })

  test('of every name has the servers of the interface too', () => {
    expect(planText(planWindowsNames(split, all))).toEqual([
      `reg add ${rule(0)} /v Version /t REG_DWORD /d 1 /f`,
      `reg add ${rule(0)} /v GenericDNSServers /t REG_SZ /d 100.100.100.100; fd7a:115c:a1e0::53 /f`,
      `reg add ${rule(0)} /v ConfigOptions /t REG_DWORD /d 8 /f`,
      `reg add ${rule(0)} /v Name /t REG_MULTI_SZ /d . /f`,
      'netsh interface ipv4 add dnsservers name=12 address=100.100.100.100 validate=no',
      'netsh interface ipv6 add dnsservers name=12 address=fd7a:115c:a1e0::53 validate=no',
      '? ipconfig /flushdns',
    ])
  })

  test('goes the way it came', () => {
    expect(planText(planWindowsNames(all, undefined))).toEqual([
      `? reg delete ${rule(0)} /f`,
      '? netsh interface ipv4 delete dnsservers name=12 address=all validate=no',
      '? netsh interface ipv6 delete dnsservers name=12 address=all validate=no',
      suffix(''),
      '? ipconfig /flushdns',
    ])
    expect(planWindowsNames(all, all)).toEqual([])
    expect(planWindowsNames(undefined, undefined)).toEqual([])
  })

  test('has a rule for every fifty domains, and takes those away that are not needed', () => {
    const many = { index: 12, want: { ...SPLIT, matchDomains: Array.from({ length: 120 }, (_, i) => `d${i}.example`) } }
    const names = planText(planWindowsNames(undefined, many)).filter((line) => line.includes('/v Name'))
    expect(names.map((line) => line.split(String.raw`\0`).length)).toEqual([50, 50, 20])
    expect(planText(planWindowsNames(many, split)).slice(0, 2)).toEqual([`? reg delete ${rule(1)} /f`, `? reg delete ${rule(2)} /f`])
  })

  test.each(["x'; calc; '", 'a b', String.raw`a\0b`, '-x', 'A.example', '..'])('has no word made of the domain %j', (domain) => {
    expect(planText(planWindowsNames(undefined, { index: 12, want: { ...SPLIT, matchDomains: [domain], searchDomains: [domain] } }))).toEqual([])
  })

  test('knows its rules and those of a policy in what reg lists', () => {
    const listing = `\r\n${LONG}\\{6D2A7C10-53E8-4B0F-9C41-B0B11E000003}\r\n${LONG}\\{11111111-2222-3333-4444-555555555555}\r\n`
    expect(planText(windowsRulesLeft(listing))).toEqual([`? reg delete ${rule(3)} /f`])
    expect(windowsRulesLeft('ERROR: The system was unable to find the specified registry key or value.')).toEqual([])
    expect(hasPolicyRules(String.raw`HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient\DnsPolicyConfig\{X}`)).toBe(true)
    expect(hasPolicyRules('')).toBe(false)
  })
})

describe('the executor', () => {
  const make = (): { system: FakeSystem; dns: WindowsDns } => {
    const system = new FakeSystem()
    return { system, dns: new WindowsDns({ run: system.run, indexOf: () => 12, resolvers: () => ['192.168.1.1', '100.100.100.100'] }) }
  }

  test('sets names, says when a policy hides them, and puts all back', async () => {
    const { system, dns } = make()
    expect(await dns.set(SPLIT)).toEqual({ problems: [], through: 'system' })
    expect(dns.own()).toEqual({ servers: ['192.168.1.1'], search: [] })
    system.answer = (line) => (line.includes('Policies') ? { out: String.raw`HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient\DnsPolicyConfig\{X}` } : undefined)
    expect((await dns.set(ALL)).problems.map(({ code }) => code)).toEqual(['names-two-owners'])
    system.take()
    await dns.close()
    expect(system.take()[0]).toBe(`reg delete ${rule(0)} /f`)
  })

  test('takes back what was done when a command fails', async () => {
    const { system, dns } = make()
    system.answer = (line) => (line.includes('/v Name') ? { code: 1, err: 'ERROR: Access is denied.' } : undefined)
    await expect(dns.set(SPLIT)).rejects.toMatchObject({ code: 'access-denied' })
    expect(system.take()).toContain(`reg delete ${rule(0)} /f`)
  })

  test('cleans up after an engine that died', async () => {
    const { system, dns } = make()
    expect(await dns.cleanUp()).toBe(false)
    system.answer = (line) => (line.startsWith('reg query') ? { out: `${LONG}\\{6D2A7C10-53E8-4B0F-9C41-B0B11E000000}\r\n` } : undefined)
    expect(await dns.cleanUp()).toBe(true)
    expect(system.take()).toContain(`reg delete ${rule(0)} /f`)
  })
})
