/**
 * All messages in French; ids and arguments are those of English.
 */
import { states } from './fr/states.ts'
import { frame } from './fr/frame.ts'
import { join } from './fr/join.ts'
import { devices } from './fr/devices.ts'
import { device } from './fr/device.ts'
import { reasons } from './fr/reasons.ts'
import { exit } from './fr/exit.ts'
import { diagnose } from './fr/diagnose.ts'
import { settings } from './fr/settings.ts'
import { palette } from './fr/palette.ts'
import { tray } from './fr/tray.ts'
import { machine } from './fr/machine.ts'
import { shell } from './fr/shell.ts'
import { transfers } from './fr/transfers.ts'
import type { Catalogue } from './english.ts'

export const french: Catalogue = { ...states, ...frame, ...join, ...devices, ...device, ...reasons, ...exit, ...diagnose, ...settings, ...palette, ...tray, ...machine, ...shell, ...transfers }
