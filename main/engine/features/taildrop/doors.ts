/**
 * What the LocalAPI asks of Taildrop.
 */
import type { TransferResult, TransfersPage } from '../../../localapi/transfers.ts'
import type { TargetPages } from './targets-page.ts'

export interface TaildropDoors {
  readonly targets: TargetPages
  readonly transfers: {
    page(): TransfersPage
    /** Does a TransferAction; `mayNamePaths`: the caller may read and write what the engine may. Rejects with EngineError. */
    act(body: unknown, mayNamePaths: boolean): Promise<TransferResult>
  }
}
