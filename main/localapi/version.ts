/**
 * Our version, as the engine, its API and the command line tell it.
 */
export const VERSION = '0.1.0'
