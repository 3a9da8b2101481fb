import type { transfers as en } from '../en/transfers.ts'

export const transfers: Partial<Record<keyof typeof en, string>> = {
  'transfers.open': '{n, plural, one {# en cours} other {# en cours}}',
  'transfers.empty': 'Rien n’est en cours.',
}
