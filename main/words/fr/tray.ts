import type { tray as en } from '../en/tray.ts'

export const tray: Partial<Record<keyof typeof en, string>> = {
}
