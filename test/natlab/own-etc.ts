/**
 * A host of the lab with an /etc and a /run of its own: a copy of the machine's with another resolver, and nothing of what runs
 * there. Namespaces share the files of the machine otherwise, and a daemon that writes resolv.conf would write the machine's.
 */
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Site } from './networks.ts'

export interface OwnFiles extends Site {
  readonly etc: string
}

/** The same site; commands and daemons that are started by its prefix from now on see that /etc and that /run. */
export function withOwnEtc(site: Site, folder: string, nameServer: string): OwnFiles {
  const etc = join(folder, `etc-${site.host}`)
  const ownRun = join(folder, `run-${site.host}`)
  for (const one of [etc, ownRun, join(ownRun, 'lock')]) mkdirSync(one)
  for (const name of ['hosts', 'nsswitch.conf', 'passwd', 'group', 'services', 'protocols', 'ssl', 'ca-certificates', 'alternatives', 'ld.so.cache', 'host.conf', 'gai.conf']) {
    if (existsSync(join('/etc', name))) cpSync(join('/etc', name), join(etc, name), { recursive: true, dereference: true })
  }
  writeFileSync(join(etc, 'resolv.conf'), `nameserver ${nameServer}\noptions timeout:2 attempts:1\n`)
  const mount = `mount --bind '${etc}' /etc && mount --bind '${ownRun}' /run && exec "$0" "$@"`
  return { ...site, etc, prefix: [...site.prefix, 'unshare', '--mount', 'sh', '-c', mount] }
}
