/**
 * What the LocalAPI asks of previews and trials.
 */
import type { PreviewPage, TrialPage } from '../../../localapi/machine.ts'

export interface TrialDoors {
  readonly previews: {
    /** Rejects with EngineError('bad-argument'). `withPrograms`: programs of this computer may be named. */
    page(body: unknown, withPrograms: boolean): Promise<PreviewPage>
  }
  readonly trials: {
    page(): TrialPage
    /** Rejects with EngineError. */
    act(body: unknown): Promise<TrialPage>
  }
}
