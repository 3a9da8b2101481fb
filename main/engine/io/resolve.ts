/**
 * Names as the system resolves them, hosts file included.
 */
import { lookup } from 'node:dns/promises'

/** Addresses of a name in the system's order; rejects when it has none. */
export async function resolveHost(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true, order: 'ipv4first' })
  return found.map((entry) => entry.address)
}
