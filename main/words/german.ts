/**
 * All messages in German; ids and arguments are those of English.
 */
import { states } from './de/states.ts'
import { frame } from './de/frame.ts'
import { join } from './de/join.ts'
import { devices } from './de/devices.ts'
import { device } from './de/device.ts'
import { reasons } from './de/reasons.ts'
import { exit } from './de/exit.ts'
import { diagnose } from './de/diagnose.ts'
import { settings } from './de/settings.ts'
import { palette } from './de/palette.ts'
import { tray } from './de/tray.ts'
import { machine } from './de/machine.ts'
import { shell } from './de/shell.ts'
import { transfers } from './de/transfers.ts'
import type { Catalogue } from './english.ts'

export const german: Catalogue = { ...states, ...frame, ...join, ...devices, ...device, ...reasons, ...exit, ...diagnose, ...settings, ...palette, ...tray, ...machine, ...shell, ...transfers }
