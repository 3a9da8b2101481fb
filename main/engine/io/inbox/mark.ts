/**
 * The system's mark of what came from the internet, so that programs ask before they run or open it.
 *
 *   Linux     extended attributes user.xdg.origin.url and user.xdg.referrer.url, by descriptor (file managers and browsers read them)
 *   macOS     com.apple.quarantine, by /usr/bin/xattr: flags ; hex seconds ; program ; UUID     never run on a real one
 *   Windows   the stream NAME:Zone.Identifier with ZoneId=3                                     never run on a real one
 *
 * Source: freedesktop.org "Common Extended Attributes"; Microsoft [MS-FSCC] Zone.Identifier stream. A disk that keeps no marks is no fault.
 */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import type { DiskFile } from './disk.ts'

export type MarkPlan =
  | { readonly kind: 'attributes'; readonly values: readonly (readonly [name: string, value: string])[] }
  | { readonly kind: 'command'; readonly program: string; readonly args: readonly string[] }
  | { readonly kind: 'stream'; readonly path: string; readonly text: string }

export interface MarkOf {
  /** Of the partial file; the mark goes with it when it is renamed. */
  readonly path: string
  /** Name of the sending device. */
  readonly from: string
  readonly wallMs: number
  /** Upper case. */
  readonly uuid: string
}

/** What marks a file on a system (process.platform); undefined: it has no such mark. Pure. */
export function planMark(platform: string, { path, from, wallMs, uuid }: MarkOf): MarkPlan | undefined {
  // The text goes into line-based formats.
  const url = `http://${from.replace(/\.$/, '').replaceAll(/[^\x21-\x7e]/gu, (char) => encodeURIComponent(Buffer.from(char).toString())).slice(0, 1_024)}/`
  switch (platform) {
    case 'linux':
      return { kind: 'attributes', values: [['user.xdg.origin.url', url], ['user.xdg.referrer.url', url]] }
    case 'darwin':
      // 0x81: came by another program than a browser, and nobody has agreed to it yet. -s: a link itself, never what it leads to.
      return { kind: 'command', program: '/usr/bin/xattr', args: ['-s', '-w', 'com.apple.quarantine', `0081;${Math.floor(wallMs / 1_000).toString(16)};Bowline;${uuid}`, path] }
    case 'win32':
      return { kind: 'stream', path: `${path}:Zone.Identifier`, text: `[ZoneTransfer]\r\nZoneId=3\r\nReferrerUrl=${url}\r\nHostUrl=${url}\r\n` }
    default:
      return undefined
  }
}

/** Sets an extended attribute by descriptor; throws where it cannot. */
export type SetAttribute = (fd: number, name: string, value: Uint8Array) => void

/** Marks an open file. Never rejects: whether a disk keeps marks is not the sender's affair. */
export async function markFile(file: DiskFile, of: MarkOf, setAttribute: SetAttribute | undefined): Promise<void> {
  const plan = planMark(process.platform, of)
  try {
    if (plan?.kind === 'attributes') for (const [name, value] of plan.values) setAttribute?.(file.fd, name, Buffer.from(value))
    else if (plan?.kind === 'stream') await writeFile(plan.path, plan.text)
    else if (plan) await new Promise<void>((resolve) => execFile(plan.program, plan.args, { timeout: 10_000 }, () => resolve()))
  } catch {
    // No attributes on this disk.
  }
}
