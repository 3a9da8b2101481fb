import type { join as en } from '../en/join.ts'

export const join: Partial<Record<keyof typeof en, string>> = {
}
