/** One device: facts, actions, path, details, access, ping. */
export const device = {
} as const
