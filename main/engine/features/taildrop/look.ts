/**
 * What a person chose to send, looked at before it is queued: whether it is there, what it is, and under which name it goes.
 */
import { EngineError } from '../../base/errors.ts'
import { SourceFault, type SourceLook, type SourceRef } from '../../core/taildrop/files.ts'
import { nameFault } from '../../core/taildrop/names.ts'
import type { SendItem } from '../../../localapi/transfers.ts'
import type { Sources } from './ports.ts'

/** Looks that are under way at once. */
const LOOKS = 16

export interface LookedAt {
  readonly ref: SourceRef
  readonly name: string
  readonly look: SourceLook
}

/** In their order. Rejects with EngineError('bad-argument') at the first that cannot be sent. */
export async function lookAtAll(sources: Sources, items: readonly SendItem[]): Promise<readonly LookedAt[]> {
  const out: LookedAt[] = []
  for (let at = 0; at < items.length; at += LOOKS) out.push(...(await Promise.all(items.slice(at, at + LOOKS).map((item) => lookAt(sources, item)))))
  return out
}

async function lookAt(sources: Sources, item: SendItem): Promise<LookedAt> {
  const ref: SourceRef = 'Path' in item ? { kind: 'path', path: item.Path, isFolder: false } : { kind: 'spool', id: item.Spool }
  try {
    const look = await sources.look(ref)
    const name = item.Name ?? look.name
    const fault = nameFault(name)
    if (fault !== undefined) throw new EngineError('bad-argument', `${JSON.stringify(name)} cannot be sent under this name: ${fault}.`)
    return { ref: ref.kind === 'path' ? { ...ref, isFolder: look.isFolder } : ref, name, look }
  } catch (error) {
    if (error instanceof SourceFault) throw new EngineError('bad-argument', error.message, { cause: error })
    throw error
  }
}
