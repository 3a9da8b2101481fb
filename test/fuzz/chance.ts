/**
 * What fuzzers draw: numbers, bytes, hostile texts, cuts of a stream, and damage to bytes and to JSON that begins good.
 */
import type { Random } from '../../main/engine/base/env.ts'
import { concat } from '../../main/engine/base/bytes.ts'

/** Texts that have broken programs before: shells, paths, HTML, URLs, terminals, formats, numbers, scripts. */
export const HOSTILE_TEXTS: readonly string[] = [
  '', ' ', '\0', 'a\0b', '../../../../etc/passwd', '..', '.', '/', '\\', 'C:\\Windows', '\\\\host\\share', 'CON', '--help', '-rf', '$(touch /tmp/x)', '`id`', '; rm -rf ~',
  '| cat', '&& true', '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '"><b>', "' OR 1=1", 'javascript:alert(1)', 'file:///etc/passwd', 'data:text/html,x',
  'http://user:password@host/', 'https://good.example@evil.example/', 'https://[::1', '%00%2e%2e%2f', '%s%n%x', '\u202egnp.exe', '\u2066x\u2069', '\u001b[31mred\u001b[0m', '\u009b2J', 'line\r\nbreak', '\ud800', '\udfff\ud800',
  '__proto__', 'constructor', 'hasOwnProperty', 'toString', 'NaN', 'Infinity', '1e999', '-0', '0x7f', '9007199254740993', 'null', 'undefined', '[object Object]',
  'xn--80ak6aa92e.com', 'ａｂｃ', 'İ', 'ß', '💥'.repeat(40), 'a.b.'.repeat(100), '..a..', '*', '0.0.0.0/0', '::/0', '999.1.1.1', '1.2.3.4/33', 'fe80::1%eth0', '::ffff:1.2.3.4', '100.64.0.1', '0001-01-01T00:00:00Z', '9999-99-99T99:99:99Z',
  'nodekey:', `nodekey:${'0'.repeat(64)}`, `nodekey:${'f'.repeat(64)}`, `discokey:${'g'.repeat(64)}`, `privkey:${'1'.repeat(64)}`, '127.3.3.40:99999999', ':', '[]:0', '1.2.3.4:65536', '[::]:65535',
]

const NUMBERS: readonly number[] = [0, -0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, -(2 ** 53), 1e21, 1e308, -1e308, 0.1, 1.5, 5e-324]

type Json = unknown

export class Chance {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** A whole number of min…max, both in. */
  int(min: number, max: number): number {
    return min + Math.floor(this.#random.unit() * (max - min + 1))
  }

  /** True with this probability. */
  is(probability: number): boolean {
    return this.#random.unit() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)]!
  }

  bytes(length: number): Uint8Array {
    return this.#random.bytes(length)
  }

  /** A hostile text, mostly short. */
  text(): string {
    if (this.is(0.02)) return this.pick(HOSTILE_TEXTS).padEnd(this.int(1000, 100_000), 'x')
    if (this.is(0.6)) return this.pick(HOSTILE_TEXTS)
    return String.fromCharCode(...Array.from({ length: this.int(0, 20) }, () => this.int(0, this.is(0.5) ? 127 : 65535)))
  }

  number(): number {
    return this.is(0.7) ? this.pick(NUMBERS) : this.int(-(2 ** 40), 2 ** 40)
  }

  /** Any JSON, small. */
  json(depth = 3): Json {
    switch (this.int(0, depth > 0 ? 7 : 4)) {
      case 0:
        return null
      case 1:
        return this.is(0.5)
      case 2:
        return this.number()
      case 3:
      case 4:
        return this.text()
      case 5:
        return Array.from({ length: this.int(0, 4) }, () => this.json(depth - 1))
      default:
        return Object.fromEntries(Array.from({ length: this.int(0, 4) }, () => [this.text(), this.json(depth - 1)]))
    }
  }

  /** The bytes in pieces of any size, some of them empty. */
  cut(bytes: Uint8Array): Uint8Array[] {
    const most = this.pick([1, 3, 20, 4096, 100_000])
    const out: Uint8Array[] = []
    for (let at = 0; at < bytes.length; ) {
      const next = Math.min(bytes.length, at + this.int(this.is(0.1) ? 0 : 1, most))
      out.push(bytes.slice(at, next))
      at = next
    }
    return out
  }

  /** Bytes with some damage: bits, numbers, pieces lost, doubled, moved, foreign, cut off. */
  damage(bytes: Uint8Array): Uint8Array {
    let out: Uint8Array = bytes.slice()
    for (let i = this.pick([1, 1, 1, 2, 5]); i > 0; i--) out = this.#damageOnce(out)
    return out
  }

  #damageOnce(bytes: Uint8Array): Uint8Array {
    const at = this.int(0, Math.max(0, bytes.length - 1))
    const length = this.int(0, Math.min(bytes.length - at, this.pick([1, 4, 64, 10_000])))
    switch (this.int(0, 7)) {
      case 0:
        bytes[at]! ^= 1 << this.int(0, 7)
        return bytes
      case 1:
        bytes[at] = this.pick([0, 1, 127, 128, 255])
        return bytes
      case 2:
        for (let i = 0; i < this.pick([2, 3, 4, 8]) && at + i < bytes.length; i++) bytes[at + i] = this.pick([0, 255])
        return bytes
      case 3:
        return concat(bytes.subarray(0, at), bytes.subarray(at + length))
      case 4:
        return concat(bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at))
      case 5:
        return concat(bytes.subarray(0, at), this.bytes(this.int(1, 30)), bytes.subarray(at))
      case 6:
        return concat(bytes.subarray(at), bytes.subarray(0, at))
      default:
        return bytes.slice(0, at)
    }
  }

  /** A copy of good JSON with some damage: fields lost, doubled, of another type, null, hostile, huge or deep. */
  damageJson(value: Json): Json {
    let out = structuredClone(value)
    for (let i = this.pick([1, 1, 2, 4, 10]); i > 0; i--) out = this.#damageJsonOnce(out)
    return out
  }

  #damageJsonOnce(value: Json): Json {
    const isInner = typeof value === 'object' && value !== null
    const keys = isInner ? Object.keys(value) : []
    if (!isInner || this.is(0.02)) return this.#instead(value)
    if (keys.length > 0 && this.is(0.85)) {
      const key = this.pick(keys)
      const holder = value as Record<string, Json>
      if (this.is(0.05)) delete holder[key]
      else set(holder, key, this.#damageJsonOnce(holder[key]))
      return value
    }
    if (Array.isArray(value)) this.#damageList(value)
    else set(value as Record<string, Json>, this.is(0.3) && keys.length > 0 ? this.pick(keys) : this.text(), this.json())
    return value
  }

  #damageList(list: Json[]): void {
    const again = list.length > 0 ? structuredClone(this.pick(list)) : this.json()
    if (this.is(0.3)) list.length = this.int(0, list.length)
    else if (this.is(0.5)) list.splice(this.int(0, list.length), 0, again)
    else list.push(this.json())
  }

  /** Another value in place of a leaf. */
  #instead(value: Json): Json {
    if (typeof value === 'number' && this.is(0.6)) return this.number()
    if (typeof value === 'string' && this.is(0.7)) return this.is(0.3) ? new TextDecoder().decode(this.damage(new TextEncoder().encode(value))) : this.text()
    if (typeof value === 'boolean' && this.is(0.5)) return !value
    if (this.is(0.02)) {
      let deep: Json = 1
      for (let i = 0; i < 300; i++) deep = [deep]
      return deep
    }
    return this.json()
  }
}

/** As JSON.parse does it: `__proto__` is a field like any other. */
function set(holder: Record<string, Json>, key: string, value: Json): void {
  Object.defineProperty(holder, key, { value, enumerable: true, writable: true, configurable: true })
}
