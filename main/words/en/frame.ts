/** The frame of the window: sidebar, notices, health, what is said when the engine stopped, the keyboard table. */
export const frame = {
} as const
