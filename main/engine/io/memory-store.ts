/**
 * The store of `--state=mem:`: nothing outlives the process.
 */
export class MemoryStore {
  readonly #texts = new Map<string, () => string>()

  load<T>(name: string, parse: (text: string) => T | undefined): { value: T; from: 'current'; savedAtMs: number } | undefined {
    const text = this.#texts.get(name)?.()
    const value = text === undefined ? undefined : parse(text)
    return value === undefined ? undefined : { value, from: 'current', savedAtMs: 0 }
  }

  problems(): readonly never[] {
    return []
  }

  save(name: string, text: string): void {
    this.#texts.set(name, () => text)
  }

  replace(name: string, text: string): void {
    this.save(name, text)
  }

  saveLater(name: string, text: () => string): void {
    this.#texts.set(name, text)
  }

  flush(): void {}

  remove(name: string): void {
    this.#texts.delete(name)
  }
}
