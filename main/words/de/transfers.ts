import type { transfers as en } from '../en/transfers.ts'

export const transfers: Partial<Record<keyof typeof en, string>> = {
  'transfers.open': '{n, plural, one {# offene} other {# offene}}',
  'transfers.empty': 'Nichts ist unterwegs.',
}
