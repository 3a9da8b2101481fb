/**
 * Pings of one device while somebody looks at it.
 *
 *   in use, or pinged   a ping of the path a second for 10 s, then every 5 s: the samples of its round trip
 *   pinged              the other layers at the same pace, until stopped; a window that is hidden stops it
 *
 * A device that nobody uses is left alone, so that its path stays idle.
 */
import { useEffect, useState } from 'react'
import type { BowlineApi, PingResult } from '../../preload/contract.ts'
import type { Device } from '../state/devices.ts'
import { count, NO_TALLY, tallyKey, targetsOf, type Tallies, type Target } from '../state/layers.ts'
import { addSample, sampleOf, useSamples } from '../state/samples.ts'
import { shown } from '../state/shown.ts'

const QUICK_MS = 1000
const SLOW_MS = 5000
const QUICK_FOR_MS = 10_000

export interface Probe {
  readonly pinging: boolean
  /** What was asked since Ping was pressed last; empty before. */
  readonly tallies: Tallies
  readonly toggle: () => void
}

export function useProbe(api: BowlineApi, device: Device, running: boolean): Probe {
  const [pinging, setPinging] = useState(false)
  const [tallies, setTallies] = useState<Tallies>({})
  const asks = pinging && running
  const samples = running && !device.isSelf && (pinging || device.peer.Active)
  const addresses = (device.peer.TailscaleIPs ?? []).join(' ')
  useEffect(() => {
    if (!samples) return undefined
    return inPace(async () => {
      const [target] = targetsOf(addresses.split(' '))
      const atMs = Date.now()
      const answer = await ask(api, target!)
      if (answer.Err === '' || answer.ErrCode === 'timeout') addSample(device.id, sampleOf(atMs, answer, useSamples.getState().get(device.id)?.at(-1)))
      if (asks) setTallies((old) => withAnswer(old, target!, answer))
    })
  }, [api, device.id, addresses, samples, asks])
  useEffect(() => {
    if (!asks) return undefined
    const stops = targetsOf(addresses.split(' ')).filter(({ type }) => type !== 'disco').map((target) => inPace(async () => {
      const answer = await ask(api, target)
      setTallies((old) => withAnswer(old, target, answer))
    }))
    const onHidden = (): void => {
      if (document.hidden) setPinging(false)
    }
    document.addEventListener('visibilitychange', onHidden)
    return () => {
      document.removeEventListener('visibilitychange', onHidden)
      for (const stop of stops) stop()
    }
  }, [api, addresses, asks])
  const toggle = (): void => {
    if (!pinging) setTallies(Object.fromEntries(targetsOf(addresses.split(' ')).map(({ type, family }) => [tallyKey(type, family), NO_TALLY])))
    setPinging(!pinging)
  }
  return { pinging: asks, tallies, toggle }
}

const withAnswer = (old: Tallies, { type, family }: Target, answer: PingResult): Tallies => {
  const key = tallyKey(type, family)
  return { ...old, [key]: count(old[key] ?? NO_TALLY, answer) }
}

async function ask(api: BowlineApi, { ip, type }: Target): Promise<PingResult> {
  const answer = await api.call('ping', { ip, type })
  return answer.ok ? answer.value : { IP: ip, NodeIP: '', NodeName: '', Err: answer.message, ErrCode: answer.code, LatencySeconds: 0, Endpoint: '', PeerRelay: '', DERPRegionID: 0, DERPRegionCode: '' }
}

/** Does it again and again, one at a time, while the window is seen; returns the way out. */
function inPace(work: () => Promise<void>): () => void {
  let stopped = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const startMs = Date.now()
  const turn = async (): Promise<void> => {
    if (document.hidden) await shown()
    if (stopped) return
    await work()
    if (!stopped) timer = setTimeout(() => void turn(), Date.now() - startMs < QUICK_FOR_MS ? QUICK_MS : SLOW_MS)
  }
  void turn()
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
