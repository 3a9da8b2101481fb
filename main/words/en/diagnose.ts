/** Diagnose: this network, relays, names, reaching a port. */
export const diagnose = {
} as const
