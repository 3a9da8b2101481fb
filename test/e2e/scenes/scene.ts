/**
 * One screen of the window, reached from the one before.
 */
import type { Stage } from './stage.ts'

export interface Scene {
  readonly name: string
  /** Its picture in a small window and at 200 % zoom is worth a look. */
  readonly narrow?: true
  /** Goes there from the scene before. */
  reach(stage: Stage): Promise<void>
}
