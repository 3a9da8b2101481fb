/**
 * Names of Windows, before → after, as commands. Never run here: golden-tested alone.
 *
 *   names below domains   a rule of the name resolution policy table (NRPT) for every 50 of them, more it does not take:
 *                         HKLM\…\Dnscache\Parameters\DnsPolicyConfig\{GUID}  Version=1 Name=.a\0.b GenericDNSServers=IP; IP ConfigOptions=8
 *   every name            the same for ".", and the servers of our interface
 *   search                the first search domain as suffix of our interface; Windows keeps more of them for all interfaces alone, which
 *                         is a person's own setting
 *
 * GUIDs are ours and counted up, so that rules of an engine that died are known. Rules by group policy of others hide those here: said.
 *
 * Sources: [MS-GPNRPT] 2.2.2; Microsoft's reference of netsh interface, reg and Set-DnsClient.
 */
import type { MachineDns } from '../../core/plan/machine.ts'
import { isIp4 } from '../../base/ip.ts'
import type { Command } from '../commands.ts'

const TABLE = String.raw`HKLM\SYSTEM\CurrentControlSet\Services\Dnscache\Parameters\DnsPolicyConfig`
export const POLICY_TABLE = String.raw`HKLM\SOFTWARE\Policies\Microsoft\Windows NT\DNSClient\DnsPolicyConfig`
const GUID_HEAD = '{6D2A7C10-53E8-4B0F-9C41-B0B11E'
const MAX_DOMAINS = 50
const MAX_RULES = 100
const GENERIC_SERVERS = 8
const DOMAIN = /^(?!.*\.\.)[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?$/

/** One rule: which names, and who has them. */
interface Rule {
  readonly key: string
  readonly names: readonly string[]
  readonly servers: readonly string[]
}

/** What lies on the interface of that number. */
export interface WindowsNames {
  readonly index: number
  readonly want: MachineDns
}

export function planWindowsNames(before: WindowsNames | undefined, after: WindowsNames | undefined): readonly Command[] {
  const [old, next] = [rulesOf(before?.want), rulesOf(after?.want)]
  const same = new Set(old.map((rule) => JSON.stringify(rule)))
  const keys = new Set(next.map(({ key }) => key))
  const commands = [
    ...old.filter(({ key }) => !keys.has(key)).map(({ key }) => removal(key)),
    ...next.filter((rule) => !same.has(JSON.stringify(rule))).flatMap(writing),
    ...planServers(before, after),
    ...planSuffix(before, after),
  ]
  return commands.length === 0 ? [] : [...commands, { program: 'ipconfig', words: ['/flushdns'], mayFail: true }]
}

function rulesOf(want: MachineDns | undefined): readonly Rule[] {
  if (!want) return []
  const names = want.all ? ['.'] : want.matchDomains.filter((domain) => DOMAIN.test(domain)).map((domain) => `.${domain}`)
  const rules: Rule[] = []
  for (let i = 0; i < names.length && rules.length < MAX_RULES; i += MAX_DOMAINS) rules.push({ key: ruleKey(rules.length), names: names.slice(i, i + MAX_DOMAINS), servers: want.servers })
  return rules
}

function ruleKey(number: number): string {
  return `${TABLE}\\${GUID_HEAD}${String(number).padStart(6, '0')}}`
}

function writing({ key, names, servers }: Rule): readonly Command[] {
  const value = (name: string, type: string, data: string): Command => ({ program: 'reg', words: ['add', key, '/v', name, '/t', type, '/d', data, '/f'] })
  // The table is read when a rule is whole: its names come last.
  return [
    value('Version', 'REG_DWORD', '1'), value('GenericDNSServers', 'REG_SZ', servers.join('; ')), value('ConfigOptions', 'REG_DWORD', String(GENERIC_SERVERS)),
    value('Name', 'REG_MULTI_SZ', names.join(String.raw`\0`)),
  ]
}

function removal(key: string): Command {
  return { program: 'reg', words: ['delete', key, '/f'], mayFail: true }
}

function planServers(before: WindowsNames | undefined, after: WindowsNames | undefined): readonly Command[] {
  const had = before?.want.all === true
  const wants = after?.want.all === true
  if (had && wants && before.index === after.index && before.want.servers.join() === after.want.servers.join()) return []
  const families = ['ipv4', 'ipv6'] as const
  const off = had ? families.map((family): Command => ({ program: 'netsh', words: ['interface', family, 'delete', 'dnsservers', `name=${before.index}`, 'address=all', 'validate=no'], mayFail: true })) : []
  const on = wants ? after.want.servers.map((ip): Command => ({ program: 'netsh', words: ['interface', isIp4(ip) ? 'ipv4' : 'ipv6', 'add', 'dnsservers', `name=${after.index}`, `address=${ip}`, 'validate=no'] })) : []
  return [...off, ...on]
}

function planSuffix(before: WindowsNames | undefined, after: WindowsNames | undefined): readonly Command[] {
  const suffix = (one: WindowsNames | undefined): string => one?.want.searchDomains.find((domain) => DOMAIN.test(domain)) ?? ''
  if (before?.index === after?.index && suffix(before) === suffix(after)) return []
  const index = after?.index ?? before!.index
  const isFirst = before === undefined && suffix(after) === ''
  if (isFirst) return []
  const script = `Set-DnsClient -InterfaceIndex ${index} -ConnectionSpecificSuffix '${suffix(after)}'`
  return [{ program: 'powershell', words: ['-NoProfile', '-NonInteractive', '-Command', script], mayFail: true }]
}

/** Commands that remove rules of ours which a listing of the table (`reg query`) shows. */
export function windowsRulesLeft(listing: string): readonly Command[] {
  return keysIn(listing, TABLE).filter((guid) => guid.toUpperCase().startsWith(GUID_HEAD)).map((guid) => removal(`${TABLE}\\${guid}`))
}

/** Whether a listing of the policies' table has rules of others, which go before all of ours. */
export function hasPolicyRules(listing: string): boolean {
  return keysIn(listing, POLICY_TABLE).length > 0
}

export const tableQuery: Command = { program: 'reg', words: ['query', TABLE] }
export const policyQuery: Command = { program: 'reg', words: ['query', POLICY_TABLE] }

/** Keys right below one, as reg lists them: under the long name of the hive. */
function keysIn(listing: string, table: string): readonly string[] {
  const parent = `${table.replace('HKLM', 'HKEY_LOCAL_MACHINE')}\\`.toLowerCase()
  return listing.split(/\r?\n/).map((line) => line.trim()).filter((line) => line.toLowerCase().startsWith(parent)).map((line) => line.slice(parent.length)).filter((key) => /^[^\\]{1,255}$/.test(key))
}
