import type { device as en } from '../en/device.ts'

export const device: Partial<Record<keyof typeof en, string>> = {
}
