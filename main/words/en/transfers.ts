/** Files on their way: the page of transfers, targets, asks, and what is said of them elsewhere in the window. */
export const transfers = {
} as const
