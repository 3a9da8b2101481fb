import type { diagnose as en } from '../en/diagnose.ts'

export const diagnose: Partial<Record<keyof typeof en, string>> = {
}
