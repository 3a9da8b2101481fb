import { expect, test } from 'vitest'
import type { DiscoPublicKey } from '../../../main/engine/base/keys.ts'
import type { ControlWants } from '../../../main/engine/control/ports.ts'
import { wantsMark } from '../../../main/engine/control/wants-mark.ts'

const wants: ControlWants = {
  hostinfo: { OS: 'linux', Hostname: 'a', NetInfo: { PreferredDERP: 1, DERPLatency: { '1-v4': 0.01 } } },
  endpoints: [{ addr: '1.2.3.4:5', type: 1 }],
  discoKey: `discokey:${'1'.repeat(64)}` as DiscoPublicKey,
}

test('the order of fields and measured latencies make no difference', () => {
  const other: ControlWants = { ...wants, hostinfo: { NetInfo: { DERPLatency: { '1-v4': 0.5 }, PreferredDERP: 1 }, Hostname: 'a', OS: 'linux' } }
  expect(wantsMark(other)).toBe(wantsMark(wants))
})

test('everything else makes a difference', () => {
  const { hostinfo } = wants
  const others: Partial<ControlWants>[] = [
    { endpoints: [] },
    { endpoints: [{ addr: '1.2.3.4:5', type: 2 }] },
    { discoKey: `discokey:${'2'.repeat(64)}` as DiscoPublicKey },
    { hostinfo: { ...hostinfo, Hostname: 'b' } },
    { hostinfo: { ...hostinfo, NetInfo: { ...hostinfo.NetInfo, PreferredDERP: 2 } } },
    { hostinfo: { ...hostinfo, NetInfo: { PreferredDERP: 1, DERPLatency: { '1-v4': 0.01, '2-v4': 0.02 } } } },
    { hostinfo: { ...hostinfo, Services: [{ Proto: 'peerapi4', Port: 1 }] } },
  ]
  for (const other of others) expect(wantsMark({ ...wants, ...other })).not.toBe(wantsMark(wants))
})
