/** The command palette and the names of commands. */
export const palette = {
} as const
