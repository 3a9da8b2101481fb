/**
 * What must be known after a death to put things back: /run/bowline/machine.json, root only, written whole or not at all.
 *
 *   { "changed": [{ "name": "net/ipv4/ip_forward", "before": "0", "set": "1" }], "apart": ["eth0"] }
 *
 * Never trusted blindly: values are checked, and everything else is found by our own names without it. A network namespace that is not
 * the machine's own has a file of its own.
 */
import { chmodSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Changed } from './kernel-settings.ts'

export interface RuntimeFacts {
  readonly changed: readonly Changed[]
  /** Interfaces between which nothing was passed on before; undefined: forwarding was on already, or is not needed. */
  readonly apart: readonly string[] | undefined
}

const NOTHING: RuntimeFacts = { changed: [], apart: undefined }
const MAX_TEXT = 64 << 10

/** "" for the network namespace of the machine, else ".inode": two namespaces may share /run. */
export function namespaceSuffix(): string {
  const link = (of: string): string | undefined => {
    try {
      return readlinkSync(`/proc/${of}/ns/net`)
    } catch {
      return undefined
    }
  }
  const [mine, first] = [link('self'), link('1')]
  return mine === undefined || first === undefined || mine === first ? '' : `.${/\d+/.exec(mine)?.[0] ?? ''}`
}

export class RuntimeFile {
  readonly path: string

  constructor(folder = '/run/bowline') {
    this.path = join(folder, `machine${namespaceSuffix()}.json`)
  }

  /** What an engine left; nothing where the file is missing or makes no sense. */
  read(): RuntimeFacts {
    try {
      const text = readFileSync(this.path, 'utf8')
      const { changed, apart } = JSON.parse(text.length > MAX_TEXT ? '{}' : text) as { changed?: unknown; apart?: unknown }
      const names = Array.isArray(apart) ? apart.filter((name): name is string => typeof name === 'string' && isInterfaceName(name)) : undefined
      return { changed: Array.isArray(changed) ? changed.filter(isChanged) : [], apart: names }
    } catch {
      return NOTHING
    }
  }

  /** Throws where it cannot be written. */
  write(facts: RuntimeFacts): void {
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o755 })
    const fresh = `${this.path}.${process.pid}`
    writeFileSync(fresh, `${JSON.stringify(facts)}\n`, { mode: 0o600 })
    chmodSync(fresh, 0o600)
    renameSync(fresh, this.path)
  }

  /** Answers whether there was one. */
  remove(): boolean {
    try {
      rmSync(this.path)
      return true
    } catch {
      return false
    }
  }
}

function isChanged(value: unknown): value is Changed {
  const { name, before, set } = (value ?? {}) as Partial<Changed>
  return typeof name === 'string' && [before, set].every((one) => typeof one === 'string' && /^\d{1,4}$/.test(one))
}

/** What the kernel takes as a name, without what would be of meaning in a text for nft. */
export function isInterfaceName(name: string): boolean {
  return /^[\w.@:+-]{1,15}$/.test(name)
}
