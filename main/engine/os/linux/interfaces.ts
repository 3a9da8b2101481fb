/**
 * What interfaces of this computer lead to: networks that are attached to them, and which of them only guests of this computer are on
 * (bridges of containers and virtual machines, loopback). Pure but for the look at the device folders.
 *
 * An interface without hardware below it that is named as container and machine managers name theirs is internal; a bridge with a card
 * in it is not.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { networkOf, parsePrefix } from '../../base/ip.ts'
import type { LinkState } from './routes-state.ts'

const GUESTS = /^(docker|br-|veth|virbr|vnet|lxcbr|lxdbr|incusbr|podman|cni|flannel|cali|vmnet|vboxnet|waydroid|tap|mpqemubr)/
const CLASS = '/sys/class/net'

export interface AttachedNetwork {
  readonly interface: string
  /** Canonical network. */
  readonly prefix: string
  readonly isInternal: boolean
}

/** Whether only this computer's own guests are behind an interface. `folder`: where the system lists its interfaces. */
export function isInternalInterface(name: string, folder = CLASS): boolean {
  if (name === 'lo') return true
  return GUESTS.test(name) && !hasHardware(name, folder)
}

/** Whether an interface is a port of a bridge: packets come in by that one. */
export function isMember(name: string, folder = CLASS): boolean {
  return existsSync(join(folder, name, 'master'))
}

function hasHardware(name: string, folder: string): boolean {
  const at = join(folder, name)
  if (existsSync(join(at, 'device'))) return true
  try {
    return readdirSync(join(at, 'brif')).some((member) => existsSync(join(folder, member, 'device')))
  } catch {
    return false
  }
}

/** Networks of all interfaces but the tunnel; an address alone, as on a dialled line, is a network of one. */
export function attachedNetworks(links: readonly LinkState[], device: string, folder = CLASS): AttachedNetwork[] {
  return links.filter(({ name }) => name !== device).flatMap((link) => {
    const isInternal = isInternalInterface(link.name, folder)
    return link.addresses.flatMap((address) => {
      const { ip, bits } = parsePrefix(address)!
      const prefix = networkOf(ip, bits)
      return prefix === undefined ? [] : [{ interface: link.name, prefix, isInternal }]
    })
  })
}
