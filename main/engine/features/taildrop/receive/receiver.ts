/**
 * Everything that happens when another device sends us something, from the request at the PeerAPI to the inbox.
 *
 *   put.ts, bowline.ts   the requests        desk.ts    rules, and a person's answers
 *   intake.ts            one thing           slots.ts   how much at once
 */
import { BowlineRoutes } from './bowline.ts'
import { AskDesk } from './desk.ts'
import { Intake } from './intake.ts'
import type { Receiver, ReceiverDeps } from './ports.ts'
import { PutRoute } from './put.ts'
import { Slots } from './slots.ts'
import { ReceiveTold } from './told.ts'

export function makeReceiver(deps: ReceiverDeps): Receiver {
  const told = new ReceiveTold(deps.env)
  const desk = new AskDesk(deps, told)
  const slots = new Slots()
  const intake = new Intake(deps, desk, slots, told)
  const looks = new Slots()
  const bowline = new BowlineRoutes(deps, desk, intake, looks, told)
  return {
    routes: [new PutRoute(deps, intake, looks, told), ...bowline.routes],
    asks: desk,
    changed: () => {
      desk.review()
      intake.review()
    },
    counters: () => ({ ...told.counters(), taildrop_in_running: slots.running }),
    stop: () => {
      intake.stop()
      desk.stop()
    },
  }
}
