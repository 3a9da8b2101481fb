/**
 * Every pair of network kinds, first met: a node of ours and a tailscaled on either side. Prints the time from the first
 * packet to the direct path, and fails where two tailscaleds become direct and one of ours does not, or comes more than
 * half as long again later (the middle of three, where the first was). Direct paths are checked on the wire.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { requirePeers } from '../interop/lab/peers.ts'
import { lateColumns, leavePlace, makePlace, meet, meetAgain, tableHead, tableRow, type Meeting, type Place } from './meetings.ts'
import { NatLab } from './nat-lab.ts'
import type { LineOptions, Site, SiteKind } from './networks.ts'

const KINDS: readonly SiteKind[] = ['public', 'easy', 'full-cone', 'restricted', 'hard', 'double', 'ipv6', 'dual', 'no-udp', 'in-only', 'out-only']
/** Pairs under way at once: times suffer on few cores. */
const AT_ONCE = 2
const JOINING_AT_ONCE = 3

const lab = new NatLab(requirePeers())

beforeAll(() => lab.start(), 120_000)
afterAll(() => lab.stop(), 120_000)

/** Runs the jobs, so many at once, each as soon as nothing that it uses is in use. */
async function inParallel<T extends { uses: readonly unknown[] }>(jobs: readonly T[], atOnce: number, run: (job: T) => Promise<void>): Promise<void> {
  const waiting = [...jobs]
  const inUse = new Set<unknown>()
  let wake: () => void = () => undefined
  const worker = async (): Promise<void> => {
    while (waiting.length > 0) {
      const at = waiting.findIndex(({ uses }) => uses.every((one) => !inUse.has(one)))
      if (at < 0) {
        await new Promise<void>((resolve) => {
          const before = wake
          wake = () => (before(), resolve())
        })
        continue
      }
      const [job] = waiting.splice(at, 1)
      for (const one of job!.uses) inUse.add(one)
      try {
        await run(job!)
      } finally {
        for (const one of job!.uses) inUse.delete(one)
        wake()
        wake = () => undefined
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

function judge(meetings: readonly Meeting[]): void {
  console.log([tableHead(), ...meetings.map(tableRow)].join('\n'))
  expect(meetings.filter(({ times }) => lateColumns(times).length > 0).map(tableRow)).toEqual([])
}

test('ours becomes direct wherever a tailscaled does, and as soon', { timeout: 1_200_000 }, async () => {
  const places = new Map<string, Place>()
  const ends = KINDS.flatMap((kind) => (['near', 'far'] as const).map((end) => ({ kind, end, uses: [] })))
  await inParallel(ends, JOINING_AT_ONCE, async ({ kind, end }) => {
    places.set(`${end} ${kind}`, await makePlace(lab, `${end}-${kind}`, () => lab.networks.add(kind)))
  })
  const meetings = KINDS.flatMap((near) => KINDS.map((far) => ({ near, far, uses: [`near ${near}`, `far ${far}`], times: [] as Meeting['times'] })))
  await inParallel(meetings, AT_ONCE, async (meeting) => {
    const [near, far] = meeting.uses.map((key) => places.get(key)!)
    meeting.times = await meet(near!, far!)
    console.log(tableRow(meeting))
  })
  await Promise.all([...places.values()].map(leavePlace))
  for (const meeting of meetings) {
    for (const column of lateColumns(meeting.times)) {
      await meetAgain(lab, meeting, column, () => Promise.all([lab.networks.add(meeting.near), lab.networks.add(meeting.far)]))
    }
  }
  judge(meetings)
})

/** Places that are more than a pair of kinds: a site for the first host, and for each further one. */
const SPECIAL: readonly { name: string; first: SiteKind; isShared: boolean; line?: LineOptions }[] = [
  { name: 'same LAN', first: 'easy', isShared: true },
  { name: 'hairpin', first: 'hairpin', isShared: true },
  { name: 'no hairpin', first: 'no-hairpin', isShared: true },
  { name: 'easy, 40 ms', first: 'easy', isShared: false, line: { delayMs: 10 } },
  { name: 'easy, 40 ms, 1 % lost', first: 'easy', isShared: false, line: { delayMs: 10, lossPercent: 1 } },
  { name: 'public, 40 ms, overtaking', first: 'public', isShared: false, line: { delayMs: 5, jitterMs: 10 } },
]

test('ours becomes direct as soon as a tailscaled on one LAN, through one NAT, and over long and lossy lines', { timeout: 600_000 }, async () => {
  const meetings: Meeting[] = []
  for (const { name, first, isShared, line } of SPECIAL) {
    const shared = isShared ? await lab.networks.add(first, line) : undefined
    let isFirst = true
    const siteFor = (): Promise<Site> => {
      if (shared === undefined) return lab.networks.add(first, line)
      if (!isFirst) return lab.networks.addBeside(shared)
      isFirst = false
      return Promise.resolve(shared)
    }
    const [near, far] = await Promise.all([makePlace(lab, 'near', siteFor), makePlace(lab, 'far', siteFor)])
    const meeting: Meeting = { near: name, far: 'same', times: await meet(near, far) }
    await Promise.all([leavePlace(near), leavePlace(far)])
    for (const column of lateColumns(meeting.times)) {
      await meetAgain(lab, meeting, column, async () => {
        const one = await lab.networks.add(first, line)
        return [one, isShared ? await lab.networks.addBeside(one) : await lab.networks.add(first, line)]
      })
    }
    console.log(tableRow(meeting))
    meetings.push(meeting)
  }
  judge(meetings)
})
