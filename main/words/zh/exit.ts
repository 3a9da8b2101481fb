import type { exit as en } from '../en/exit.ts'

export const exit: Partial<Record<keyof typeof en, string>> = {
}
