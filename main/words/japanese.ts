/**
 * All messages in Japanese; ids and arguments are those of English.
 */
import { states } from './ja/states.ts'
import { frame } from './ja/frame.ts'
import { join } from './ja/join.ts'
import { devices } from './ja/devices.ts'
import { device } from './ja/device.ts'
import { reasons } from './ja/reasons.ts'
import { exit } from './ja/exit.ts'
import { diagnose } from './ja/diagnose.ts'
import { settings } from './ja/settings.ts'
import { palette } from './ja/palette.ts'
import { tray } from './ja/tray.ts'
import { machine } from './ja/machine.ts'
import { shell } from './ja/shell.ts'
import { transfers } from './ja/transfers.ts'
import type { Catalogue } from './english.ts'

export const japanese: Catalogue = { ...states, ...frame, ...join, ...devices, ...device, ...reasons, ...exit, ...diagnose, ...settings, ...palette, ...tray, ...machine, ...shell, ...transfers }
