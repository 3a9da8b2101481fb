import type { transfers as en } from '../en/transfers.ts'

export const transfers: Partial<Record<keyof typeof en, string>> = {
  'transfers.open': '{n} 件が未完了',
  'transfers.empty': '転送中のものはありません。',
}
