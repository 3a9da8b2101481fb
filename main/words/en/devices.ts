/** The list of devices: columns, groups, filters, actions, empty states. */
export const devices = {
} as const
