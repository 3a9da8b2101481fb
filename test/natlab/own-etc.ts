/**
 * A host of the lab with an /etc of its own: a copy of the machine's with another resolver. Namespaces share the files of
 * the machine otherwise, and a daemon that writes resolv.conf would write the machine's.
 */
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Site } from './networks.ts'

/** The same site; commands and daemons that are started by its prefix from now on see that /etc. */
export function withOwnEtc(site: Site, folder: string, nameServer: string): Site {
  const etc = join(folder, `etc-${site.host}`)
  mkdirSync(etc)
  for (const name of ['hosts', 'nsswitch.conf', 'passwd', 'group', 'services', 'protocols', 'ssl', 'ca-certificates', 'alternatives', 'ld.so.cache', 'host.conf', 'gai.conf']) {
    if (existsSync(join('/etc', name))) cpSync(join('/etc', name), join(etc, name), { recursive: true, dereference: true })
  }
  writeFileSync(join(etc, 'resolv.conf'), `nameserver ${nameServer}\noptions timeout:2 attempts:1\n`)
  return { ...site, prefix: [...site.prefix, 'unshare', '--mount', 'sh', '-c', `mount --bind '${etc}' /etc && exec "$0" "$@"`] }
}
