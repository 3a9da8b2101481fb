import { describe, expect, test } from 'vitest'
import { compileFilter } from '../../../../main/engine/core/filter/compile.ts'
import type { FilterRule, Node } from '../../../../main/engine/core/tailcfg/types.ts'

const ALL = { First: 0, Last: 65535 }
const compile = (rules: FilterRule[], peers: Node[] = []): ReturnType<typeof compileFilter> => compileFilter(rules, peers)
const peer = (id: number, caps: string[]): Node => ({
  ID: id, StableID: String(id), Name: `n${id}.`, User: 1, Key: '', Addresses: [`100.64.0.${id}/32`], CapMap: Object.fromEntries(caps.map((cap) => [cap, null])),
})

describe('the filter compiler', () => {
  test('without a protocol a rule means TCP, UDP and both ICMPs', () => {
    expect(compile([{ SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports: ALL }] }]).matches).toEqual([
      {
        protos: [6, 17, 1, 58],
        srcs: ['0.0.0.0/0', '::/0'],
        dsts: [
          { prefix: '0.0.0.0/0', first: 0, last: 65535 },
          { prefix: '::/0', first: 0, last: 65535 },
        ],
      },
    ])
  })

  test('protocol numbers outside 0 to 255 are ignored, and a list of only such allows nothing', () => {
    const rule = (IPProto: number[]): FilterRule => ({ SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports: ALL }], IPProto })
    expect(compile([rule([6, 300, -1, 6])]).matches[0]?.protos).toEqual([6])
    expect(compile([rule([300])]).matches).toEqual([])
  })

  test('a bad address is skipped and the rest of the rule holds', () => {
    const { matches, problems } = compile([{ SrcIPs: ['100.64.0.1/10', '100.64.0.2'], DstPorts: [{ IP: 'nonsense', Ports: ALL }, { IP: '100.64.0.1', Ports: { First: 22, Last: 22 } }] }])
    expect(matches).toEqual([{ protos: [6, 17, 1, 58], srcs: ['100.64.0.2/32'], dsts: [{ prefix: '100.64.0.1/32', first: 22, last: 22 }] }])
    expect(problems).toHaveLength(2)
  })

  test.each([
    ['SrcBits', { SrcIPs: ['100.64.0.0'], SrcBits: [10], DstPorts: [{ IP: '*', Ports: ALL }] }],
    ['Bits', { SrcIPs: ['*'], DstPorts: [{ IP: '100.64.0.0', Bits: 10, Ports: ALL }] }],
  ])('the obsolete %s refuses the whole list', (_name, obsolete) => {
    const { matches, problems } = compile([{ SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports: ALL }] }, obsolete])
    expect(matches).toEqual([])
    expect(problems).toHaveLength(1)
  })

  test('a capability as source means the peers that have it', () => {
    const rule: FilterRule = { SrcIPs: ['cap:example.com/cap/x'], DstPorts: [{ IP: '100.64.0.1', Ports: ALL }] }
    expect(compile([rule], [peer(2, ['example.com/cap/x']), peer(3, [])]).matches[0]?.srcs).toEqual(['100.64.0.2/32'])
    expect(compile([rule], [peer(3, [])]).matches).toEqual([])
  })

  test('a grant of capabilities lets no packet in', () => {
    expect(compile([{ SrcIPs: ['*'], CapGrant: [{ Dsts: ['100.64.0.1/32'], Caps: ['x'] }] }]).matches).toEqual([])
  })

  test.each([
    ['backwards', { First: 10, Last: 5 }],
    ['too high', { First: 0, Last: 70000 }],
    ['broken', { First: 1.5, Last: 2 }],
  ])('a port range that is %s allows nothing', (_name, Ports) => {
    expect(compile([{ SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports }] }]).matches).toEqual([])
  })
})
