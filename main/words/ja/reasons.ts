import type { reasons as en } from '../en/reasons.ts'

export const reasons: Partial<Record<keyof typeof en, string>> = {
}
