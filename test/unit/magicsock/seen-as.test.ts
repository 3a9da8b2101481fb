import { describe, expect, it } from 'vitest'
import { SeenAs } from '../../../main/engine/magicsock/seen-as.ts'

const to = { ip: '203.0.113.20', port: 41641 }
const at = (port: number) => ({ ip: '203.0.113.101', port })

describe('where peers see us', () => {
  it('is news only when the same path of a peer shows another address', () => {
    const seen = new SeenAs()
    const [a, b] = [{}, {}]
    expect(seen.note(0, a, to, at(1))).toBe(false)
    expect(seen.note(0, b, to, at(2))).toBe(false)
    expect(seen.note(1000, a, to, at(1))).toBe(false)
    expect(seen.note(2000, a, { ...to, port: 7 }, at(3))).toBe(false)
    expect(seen.note(3000, a, { ...to, port: 7 }, at(4))).toBe(true)
  })

  it('costs a look at the network now and then, whatever peers say', () => {
    const seen = new SeenAs()
    const liar = {}
    let looks = 0
    for (let i = 0; i < 1000; i++) if (seen.note(i * 10, liar, to, at(i + 1))) looks++
    expect(looks).toBe(2)
  })
})
