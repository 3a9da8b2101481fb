/**
 * The device of a user moves into the service and back: one engine is asked to hand over, and followed until that is settled.
 */
import type { HandOverPage } from '../../localapi/service.ts'
import { LocalApi } from '../client.ts'
import { CliError, EXIT } from '../exit.ts'
import { defaultSocket } from '../paths.ts'
import type { User } from './users.ts'

/** Longer than an adoption is tried. */
const PATIENCE_MS = 120_000
const STEP_MS = 200

export type Moved = { readonly kind: 'moved' } | { readonly kind: 'stayed'; readonly why: string }

/** Where an engine that the user started by hand serves. */
const ownSocketOf = ({ uid, home, name }: User): string => defaultSocket({ platform: 'linux', uid, home, user: name, env: { XDG_RUNTIME_DIR: `/run/user/${uid}` } })

/** Has the user's own engine, if one runs with a sign-in, give it to the service at `socket`; undefined = there is none such. */
export async function moveIn(user: User, socket: string): Promise<Moved | undefined> {
  const own = new LocalApi(ownSocketOf(user), 'own')
  const profiles = await own.call('profiles', { timeoutMs: 5_000 }).catch(() => undefined)
  if (!Array.isArray(profiles) || profiles.length === 0) return undefined
  try {
    return settled(await handOver(own, socket))
  } catch (error) {
    return { kind: 'stayed', why: error instanceof Error ? error.message : String(error) }
  }
}

/** Has the service give its sign-in to the user's own engine. Throws CliError when it did not come to that. */
export async function giveBack(service: LocalApi, user: User | undefined, to: string): Promise<void> {
  const socket = to || (user ? ownSocketOf(user) : '')
  if (socket === '') throw new CliError(EXIT.usage, 'usage', 'Whose engine is to have the device? Name its socket with --to.')
  const page = await handOver(service, socket, user?.uid)
  // Nobody is signed in there: nothing has to move.
  if (page.State === 'none') return
  const end = settled(page)
  if (end.kind === 'stayed') throw new CliError(EXIT.failed, 'not-moved', `The service keeps the device, and nothing was removed: ${end.why} The engine that is to have it must run: bowline daemon`)
}

async function handOver(giver: LocalApi, socket: string, uid?: number): Promise<HandOverPage> {
  let page = await giver.call('handOver', { method: 'POST', body: { Do: 'give', Socket: socket, ...(uid === undefined ? {} : { Uid: uid }) }, timeoutMs: PATIENCE_MS })
  const end = Date.now() + PATIENCE_MS
  while (page.State === 'moving' && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, STEP_MS))
    page = await giver.call('handOverPage', { timeoutMs: 10_000 })
  }
  return page
}

function settled({ State, Why }: HandOverPage): Moved {
  if (State === 'given') return { kind: 'moved' }
  return { kind: 'stayed', why: State === 'moving' ? 'it is not settled yet; bowline --own status tells.' : (Why?.Text ?? 'it has no sign-in to give.') }
}

/** Signs out of every account of the service. Throws CliError for a server that could not be told, unless that does not matter. */
export async function logOutAll(service: LocalApi, forget: boolean): Promise<void> {
  const ids = await service.call('profiles', { timeoutMs: 5_000 }).then((list) => (Array.isArray(list) ? list.map(({ ID }) => ID as string) : []), (error: unknown) => {
    if (forget) return []
    throw new CliError(EXIT.failed, 'not-signed-out', `The service cannot be asked to sign out (${error instanceof Error ? error.message : String(error)}). Start it, or add --forget: the devices then stay in the lists of their servers.`)
  })
  for (const id of ids) {
    try {
      await service.call('profiles', { method: 'POST', rest: encodeURIComponent(id), timeoutMs: 10_000 })
      await service.call('logout', { timeoutMs: 30_000 })
    } catch (error) {
      if (!forget) throw new CliError(EXIT.failed, 'not-signed-out', `A server could not be told that this device goes (${error instanceof Error ? error.message : String(error)}). Nothing was removed; --forget goes on without telling.`)
    }
  }
}
