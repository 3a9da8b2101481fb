/**
 * Endpoints that an engine may not have: its "no such path" becomes one sentence and an exit code of its own.
 */
import { CliError, EXIT, unavailable } from './exit.ts'

/** What `ask` answers; where the engine has no such feature, CliError with this sentence. */
export async function lackingAs<T>(sentence: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof CliError && (error.exitCode === EXIT.unavailable || error.code === 'not-found')) throw unavailable(sentence)
    throw error
  }
}
