/**
 * All messages in Spanish; ids and arguments are those of English.
 */
import { states } from './es/states.ts'
import { frame } from './es/frame.ts'
import { join } from './es/join.ts'
import { devices } from './es/devices.ts'
import { device } from './es/device.ts'
import { reasons } from './es/reasons.ts'
import { exit } from './es/exit.ts'
import { diagnose } from './es/diagnose.ts'
import { settings } from './es/settings.ts'
import { palette } from './es/palette.ts'
import { tray } from './es/tray.ts'
import { machine } from './es/machine.ts'
import { shell } from './es/shell.ts'
import { transfers } from './es/transfers.ts'
import type { Catalogue } from './english.ts'

export const spanish: Catalogue = { ...states, ...frame, ...join, ...devices, ...device, ...reasons, ...exit, ...diagnose, ...settings, ...palette, ...tray, ...machine, ...shell, ...transfers }
