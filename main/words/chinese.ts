/**
 * All messages in Chinese (simplified); ids and arguments are those of English.
 */
import { states } from './zh/states.ts'
import { frame } from './zh/frame.ts'
import { join } from './zh/join.ts'
import { devices } from './zh/devices.ts'
import { device } from './zh/device.ts'
import { reasons } from './zh/reasons.ts'
import { exit } from './zh/exit.ts'
import { diagnose } from './zh/diagnose.ts'
import { settings } from './zh/settings.ts'
import { palette } from './zh/palette.ts'
import { tray } from './zh/tray.ts'
import { machine } from './zh/machine.ts'
import { shell } from './zh/shell.ts'
import { transfers } from './zh/transfers.ts'
import type { Catalogue } from './english.ts'

export const chinese: Catalogue = { ...states, ...frame, ...join, ...devices, ...device, ...reasons, ...exit, ...diagnose, ...settings, ...palette, ...tray, ...machine, ...shell, ...transfers }
