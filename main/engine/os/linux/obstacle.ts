/**
 * Why this engine cannot have the computer: no rights, no tunnel devices, another client that uses the same table and rules.
 */
import { accessSync, constants, readFileSync } from 'node:fs'
import { EngineError } from '../../base/errors.ts'
import type { Problem, RunProgram } from './ports.ts'
import { readSystem } from './system-state.ts'

/** Bit of CAP_NET_ADMIN in the kernel's sets. */
const NET_ADMIN = 12n

/** Undefined: the computer can be taken. */
export async function findObstacle(run: RunProgram, device: string): Promise<Problem | undefined> {
  if (!mayAdministrate()) return { code: 'no-rights', text: 'This engine may not change the network of the computer (no CAP_NET_ADMIN). Install the system service once, or start it as root.' }
  if (!hasTun()) return { code: 'no-tun', text: 'This system has no tunnel devices (/dev/net/tun cannot be opened). The kernel module "tun" may be missing, or a container may not have been given the device.' }
  try {
    const { links, routes } = await readSystem(run, device, true)
    const other = [...routes[4], ...routes[6]].find((row) => row.kind === 'device' && row.device !== device)?.device ?? links.find(({ name }) => /^tailscale\d+$/.test(name))?.name
    if (other !== undefined) return { code: 'tailscaled-runs', text: `Tailscale has the computer already (device ${other}). Stop it first ("systemctl stop tailscaled"), or go on with apps only.` }
  } catch (error) {
    if (error instanceof EngineError && error.code === 'not-found') return { code: 'no-iproute', text: 'The program "ip" (package iproute2) is not installed; routes cannot be set without it.' }
    throw error
  }
  return undefined
}

function mayAdministrate(): boolean {
  try {
    const caps = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return caps !== undefined && ((BigInt(`0x${caps}`) >> NET_ADMIN) & 1n) === 1n
  } catch {
    return false
  }
}

function hasTun(): boolean {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}
