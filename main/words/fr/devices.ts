import type { devices as en } from '../en/devices.ts'

export const devices: Partial<Record<keyof typeof en, string>> = {
}
