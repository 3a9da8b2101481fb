import type { transfers as en } from '../en/transfers.ts'

export const transfers: Partial<Record<keyof typeof en, string>> = {
  'transfers.open': '{n} 项未完成',
  'transfers.empty': '没有正在传输的内容。',
}
