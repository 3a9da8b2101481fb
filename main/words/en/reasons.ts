/** Why a path is as it is, and what would help, by rule. */
export const reasons = {
} as const
