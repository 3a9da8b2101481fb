/**
 * An Inbox in memory with the manners of the one on disk: one reception for each place, names that are never taken twice, hashes of blocks.
 */
import { createHash } from 'node:crypto'
import { InboxFault, type BlockHash, type Inbox, type InboxPlace, type ManifestEntry, type Receiving, type Saved } from '../../../../../main/engine/features/taildrop/ports.ts'
import { nextName } from '../../../../../main/engine/core/taildrop/names.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const partialKey = ({ folder, sender, name }: InboxPlace): string => `${folder}/${name}.${sender}`

export class MemoryInbox implements Inbox {
  readonly partial = new Map<string, Buffer>()
  readonly final = new Map<string, Buffer>()
  readonly manifests = new Map<string, readonly ManifestEntry[]>()
  readonly busy = new Set<string>()
  freeBytes = -1
  /** Of the folder, and of the next write. */
  fault: InboxFault | undefined
  writeFault: InboxFault | undefined
  /** Each write waits for it. */
  slow: (() => Promise<void>) | undefined

  look(): Promise<{ freeBytes: number; fault?: InboxFault }> {
    return Promise.resolve({ freeBytes: this.freeBytes, ...(this.fault ? { fault: this.fault } : {}) })
  }

  partials(folder: string, sender: string): Promise<readonly string[]> {
    const keys = [...this.partial.keys()].filter((key) => key.startsWith(`${folder}/`) && key.endsWith(`.${sender}`))
    return Promise.resolve(keys.map((key) => key.slice(folder.length + 1, -sender.length - 1)))
  }

  async *hashes(place: InboxPlace): AsyncGenerator<BlockHash> {
    if (this.busy.has(partialKey(place))) throw new InboxFault('busy', 'busy')
    const bytes = this.partial.get(partialKey(place)) ?? Buffer.alloc(0)
    for (let at = 0; at < bytes.length; at += 65_536) {
      const block = bytes.subarray(at, at + 65_536)
      yield await Promise.resolve({ checksum: sha256(block), algo: 'sha256' as const, size: block.length })
    }
  }

  open(place: InboxPlace, offset: number, size: number, manifest?: readonly ManifestEntry[]): Promise<Receiving> {
    const key = partialKey(place)
    const had = this.partial.get(key) ?? Buffer.alloc(0)
    if (this.fault) return Promise.reject(this.fault)
    if (this.busy.has(key)) return Promise.reject(new InboxFault('busy', 'busy'))
    if (offset > had.length) return Promise.reject(new InboxFault('bad-offset', 'past the end'))
    if (this.freeBytes >= 0 && size > this.freeBytes) return Promise.reject(new InboxFault('no-space', 'full: /secret/folder'))
    this.busy.add(key)
    if (manifest) this.manifests.set(place.name, manifest)
    let bytes = had.subarray(0, offset)
    const end = (keep: boolean): Promise<void> => {
      if (keep) this.partial.set(key, bytes)
      else this.partial.delete(key)
      this.busy.delete(key)
      return Promise.resolve()
    }
    const receiving: Receiving = {
      get received() {
        return bytes.length
      },
      write: async (piece) => {
        await this.slow?.()
        if (this.writeFault) throw this.writeFault
        bytes = Buffer.concat([bytes, piece])
      },
      finish: async (expected) => {
        const hash = sha256(bytes)
        if (expected.size !== undefined && expected.size !== bytes.length) return end(true).then(() => Promise.reject(new InboxFault('wrong-size', 'short')))
        if (expected.sha256 !== undefined && expected.sha256 !== hash) return end(false).then(() => Promise.reject(new InboxFault('wrong-hash', 'other')))
        await end(false)
        return this.#settle(place, bytes, hash)
      },
      keep: () => end(true),
      discard: () => end(false),
    }
    return Promise.resolve(receiving)
  }

  sweep(): Promise<void> {
    return Promise.resolve()
  }

  waiting(): Promise<readonly []> {
    return Promise.resolve([])
  }

  read(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  remove(): Promise<boolean> {
    return Promise.resolve(false)
  }

  #settle({ folder, name }: InboxPlace, bytes: Buffer, hash: string): Saved {
    let final = name
    for (let there = this.final.get(`${folder}/${final}`); there; there = this.final.get(`${folder}/${final}`)) {
      if (there.equals(bytes)) return { name: final, path: `${folder}/${final}`, size: bytes.length, sha256: hash, isDuplicate: true }
      final = nextName(final)
    }
    this.final.set(`${folder}/${final}`, bytes)
    return { name: final, path: `${folder}/${final}`, size: bytes.length, sha256: hash, isDuplicate: false }
  }
}
