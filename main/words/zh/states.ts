import type { states as en } from '../en/states.ts'

export const states: Partial<Record<keyof typeof en, string>> = {
}
