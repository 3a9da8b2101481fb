/**
 * All messages in English: the language in which their ids and arguments are laid down.
 */
import { states } from './en/states.ts'
import { frame } from './en/frame.ts'
import { join } from './en/join.ts'
import { devices } from './en/devices.ts'
import { device } from './en/device.ts'
import { reasons } from './en/reasons.ts'
import { exit } from './en/exit.ts'
import { diagnose } from './en/diagnose.ts'
import { settings } from './en/settings.ts'
import { palette } from './en/palette.ts'
import { tray } from './en/tray.ts'
import { machine } from './en/machine.ts'
import { shell } from './en/shell.ts'
import { transfers } from './en/transfers.ts'

export const english = { ...states, ...frame, ...join, ...devices, ...device, ...reasons, ...exit, ...diagnose, ...settings, ...palette, ...tray, ...machine, ...shell, ...transfers } as const

export type WordId = keyof typeof english

/** Messages of one language; what it lacks is shown in English. */
export type Catalogue = Readonly<Partial<Record<WordId, string>>>
