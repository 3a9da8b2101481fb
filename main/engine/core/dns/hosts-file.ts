/**
 * The hosts file of a system: addresses that a person or an administrator gave names, which go before all of DNS.
 *
 *   address name alias … # remark
 *
 * Names in lower case; addresses in canonical text, those with a zone left out. "localhost" and names below it are this computer
 * whatever the file says (RFC 6761 §6.3).
 */
import { canonicalIp } from '../../base/ip.ts'
import { plainName } from './message.ts'

/** What is remembered of one file. */
const MAX_NAMES = 500_000
const LOOPBACK: readonly string[] = ['127.0.0.1', '::1']

export type HostsFile = ReadonlyMap<string, readonly string[]>

/** Names with their addresses, in the order of the file; lines that say nothing are left out. */
export function parseHostsFile(text: string): HostsFile {
  const found = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
    const ip = address === undefined ? undefined : canonicalIp(address)
    if (ip === undefined) continue
    for (const name of names.map(plainName)) {
      const known = found.get(name)
      if (known) {
        if (known.length < 16 && !known.includes(ip)) known.push(ip)
      } else if (found.size < MAX_NAMES) found.set(name, [ip])
    }
  }
  return found
}

/** Addresses that the file gives a name; undefined = it says nothing of it. */
export function inHostsFile(file: HostsFile, host: string): readonly string[] | undefined {
  const name = plainName(host)
  const found = file.get(name)
  if (found) return found
  return name === 'localhost' || name.endsWith('.localhost') ? LOOPBACK : undefined
}
