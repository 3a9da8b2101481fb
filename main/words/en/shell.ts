/** What the app itself asks and says: quitting, links that open it, crashes, application menu. */
export const shell = {
} as const
