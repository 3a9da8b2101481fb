/**
 * What the LocalAPI asks of Taildrop.
 */
import type { TransferResult, TransfersPage } from '../../../localapi/transfers.ts'
import type { PutReply, PutRequest } from './send/file-put.ts'
import type { TargetPages } from './targets-page.ts'
import type { WaitingDoors } from './waiting.ts'

/** What clients hand over to be sent. Rejects with EngineError, and then nothing of it is left. */
export interface SpoolPort {
  /** `size` -1: not known. */
  put(chunks: AsyncIterable<Uint8Array>, size: number): Promise<{ readonly id: string; readonly size: number }>
  remove(id: string): Promise<void>
  /** Takes away what is older than `olderMs` and not in `keep`; answers how many that were. */
  sweep(keep: ReadonlySet<string>, olderMs: number, wallMs: number): Promise<number>
}

export interface TaildropDoors {
  readonly targets: TargetPages
  readonly spool: SpoolPort
  readonly files: WaitingDoors
  /** Sends on what a program gives byte by byte. */
  readonly filePut: { put(request: PutRequest): Promise<PutReply> }
  readonly transfers: {
    page(): TransfersPage
    /** Does a TransferAction; `mayNamePaths`: the caller may read and write what the engine may. Rejects with EngineError. */
    act(body: unknown, mayNamePaths: boolean): Promise<TransferResult>
  }
}
