/** Files on their way: the page of transfers, targets, asks, and what is said of them elsewhere in the window. */
export const transfers = {
  'transfers.open': '{n, plural, one {# open} other {# open}}',
  'transfers.empty': 'Nothing is on its way.',
} as const
