/** Exit nodes and networks behind devices. */
export const exit = {
} as const
