/** Tray menu, small window and notifications. */
export const tray = {
} as const
