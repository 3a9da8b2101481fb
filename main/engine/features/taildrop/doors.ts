/**
 * What the LocalAPI asks of Taildrop.
 */
import type { TargetPages } from './targets-page.ts'

export interface TaildropDoors {
  readonly targets: TargetPages
}
