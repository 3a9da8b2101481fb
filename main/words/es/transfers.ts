import type { transfers as en } from '../en/transfers.ts'

export const transfers: Partial<Record<keyof typeof en, string>> = {
}
