/**
 * The real disk with faults put between: a call fails when told, writes take fewer bytes than asked for, and open files are counted.
 */
import * as promises from 'node:fs/promises'
import type { Disk, DiskFile } from '../../../../main/engine/io/inbox/disk.ts'

export interface FaultyDisk {
  readonly disk: Disk
  /** Names of calls so far. */
  readonly calls: string[]
  /** Files and directories that are open. */
  open(): number
}

/** `fault`: the errno with which this call fails, by its name and place in the order of all; `short`: how many bytes a write takes at most. */
export function faultyDisk(fault: (call: string, index: number) => string | undefined, short = Infinity): FaultyDisk {
  const calls: string[] = []
  let open = 0
  const check = (call: string): void => {
    const errno = fault(call, calls.length)
    calls.push(call)
    if (errno !== undefined) throw Object.assign(new Error(`${errno}: made up`), { code: errno })
  }
  const wrapFile = (file: DiskFile): DiskFile => {
    open++
    let isOpen = true
    return new Proxy(file, {
      get(target, name: keyof DiskFile) {
        const value = target[name] as unknown
        if (typeof value !== 'function') return value
        return async (...args: unknown[]): Promise<unknown> => {
          if (name === 'close' && isOpen) {
            isOpen = false
            open--
          }
          if (name === 'close') return file.close()
          check(String(name))
          if (name === 'write') args[2] = Math.min(args[2] as number, short)
          return (value as (...all: unknown[]) => unknown).apply(target, args)
        }
      },
    })
  }
  const disk = Object.fromEntries(Object.entries(promises).filter(([, value]) => typeof value === 'function').map(([name, value]) => [name, async (...args: unknown[]): Promise<unknown> => {
    check(name)
    const result = await (value as (...all: unknown[]) => unknown)(...args)
    return name === 'open' ? wrapFile(result as DiskFile) : result
  }])) as unknown as Disk
  return { disk, calls, open: () => open }
}
