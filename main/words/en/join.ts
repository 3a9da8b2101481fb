/** Welcome, join with its preflight, waiting for the browser and for approval, adding and renewing accounts. */
export const join = {
} as const
