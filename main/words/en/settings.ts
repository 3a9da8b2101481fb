/** Settings, and what policy manages. */
export const settings = {
} as const
