/**
 * The last word of `file cp`: a device with a colon behind it; an IPv6 address stands in brackets. Which device that is, and
 * whether files can go there.
 */
import { canonicalIp } from '../../engine/base/ip.ts'
import type { TransferTarget } from '../../localapi/transfers.ts'
import type { PeerStatus } from '../../localapi/types.ts'
import type { LocalApi } from '../client.ts'
import { CliError, EXIT, usageError } from '../exit.ts'
import { printable } from '../text.ts'
import { findDevice, nameOf } from '../verbs/find-device.ts'
import { whyWords } from './words.ts'

export interface Target {
  /** Stable ID. */
  readonly id: string
  /** Short name. */
  readonly name: string
  /** As the server says. */
  readonly online: boolean
}

/** The device's name or address; throws a usage error. */
export function deviceWord(word: string): string {
  if (!word.endsWith(':')) throw usageError(`The last word is the device that gets it, with a colon behind it: ${printable(word)}: (bowline file cp report.pdf desk:)`)
  const text = word.slice(0, -1)
  const bare = /^\[(.*)\]$/.exec(text)?.[1]
  const ip = canonicalIp(bare ?? text)
  if (bare === undefined && ip?.includes(':')) throw usageError(`An IPv6 address stands in brackets: [${text}]:`)
  if (bare !== undefined && !ip?.includes(':')) throw usageError(`Only an IPv6 address stands in brackets: ${printable(bare)}:`)
  if (text === '') throw usageError('Which device? Its name goes before the colon: bowline file cp report.pdf desk:')
  return bare ?? text
}

/** The device, whose targets the engine tells; `rows` undefined: a stock daemon, which puts it into the status. Throws CliError with why it cannot be. */
export async function targetOf(api: LocalApi, word: string, rows: readonly TransferTarget[] | undefined): Promise<Target> {
  const current = await api.call('status')
  const device = findDevice(current, word)
  if (device === undefined) throw new CliError(EXIT.failed, 'no-such-device', `No device of this network has the address ${printable(word)}.`)
  const name = printable(nameOf(device, current))
  if (device.ID === current.Self.ID) throw new CliError(EXIT.failed, 'self', `${name} is this device.`)
  if (current.BackendState !== 'Running') throw new CliError(EXIT.notConnected, 'not-connected', 'Not connected: nothing can be sent. Connect with: bowline up')
  const row = rows?.find(({ ID }) => ID === device.ID)
  const refusal = row ? (row.Usable ? undefined : { code: row.Why?.Code ?? 'refused', text: whyWords(row.Why) }) : stockRefusal(device)
  if (refusal !== undefined) {
    const more = row?.Grant === undefined ? '' : ` What an administrator could add: bowline file targets ${name}`
    throw new CliError(EXIT.failed, refusal.code, `Nothing can be sent to ${name}: ${refusal.text}.${more}`)
  }
  return { id: device.ID, name, online: device.Online }
}

/** By the number in the status; 1 is usable, 5 offline, which may be over by now. */
function stockRefusal({ TaildropTarget }: PeerStatus): { readonly code: string; readonly text: string } | undefined {
  const WHY: Readonly<Record<number, readonly [code: string, text: string]>> = {
    3: ['not-connected', 'this device is not connected'],
    4: ['self-no-capability', 'the server has switched sending files off for this device'],
    7: ['cannot-receive', 'its system cannot receive files'],
    8: ['cannot-receive', 'it cannot receive files'],
    9: ['other-owner', 'it belongs to somebody else'],
  }
  if (TaildropTarget === 1 || TaildropTarget === 5) return undefined
  const [code, text] = WHY[TaildropTarget] ?? ['refused', 'the daemon does not say why']
  return { code, text }
}
