/**
 * What a click in the tray menu or on a notification does. Each is a plain value, so that what shows it stays pure.
 */
import type { LocalApiClient } from '../client/local-api-client.ts'
import { METHODS } from '../localapi/methods.ts'
import type { ExitNodeAction } from '../localapi/exit-nodes.ts'
import type { WantedChange } from '../localapi/machine.ts'
import type { TransferAction } from '../localapi/transfers.ts'
import { exitChange, tryFirst } from '../web/try-first.ts'

export type Action =
  | { readonly kind: 'open' }
  /** Shows a place of the main window. */
  | { readonly kind: 'go'; readonly hash: string }
  | { readonly kind: 'connect'; readonly on: boolean }
  | { readonly kind: 'start-engine' }
  | { readonly kind: 'renew' }
  | { readonly kind: 'exit'; readonly do: ExitNodeAction }
  | { readonly kind: 'allow-lan'; readonly on: boolean }
  /** Says what becomes of the change on trial. */
  | { readonly kind: 'trial'; readonly id: string; readonly answer: 'keep' | 'undo' }
  | { readonly kind: 'copy'; readonly text: string }
  | { readonly kind: 'switch-account'; readonly id: string }
  | { readonly kind: 'add-account' }
  | { readonly kind: 'small' }
  /** Has the person choose files, then a device. */
  | { readonly kind: 'send-files' }
  | { readonly kind: 'transfer'; readonly do: TransferAction }
  /** Opens a received file by its row, or shows it in its folder. */
  | { readonly kind: 'received'; readonly id: string; readonly how: 'open' | 'show' }
  | { readonly kind: 'quit' }

const TRANSFERS = '#/transfers'

export interface ActionDeps {
  readonly client: LocalApiClient
  readonly showMain: (hash?: string) => void
  readonly showSmall: () => void
  readonly copy: (text: string) => void
  /** Whether risky changes are tried first. */
  readonly wantsTrial: () => boolean
  readonly startEngine: () => void
  readonly sendFiles: () => Promise<void>
  readonly openReceived: (id: string, how: 'open' | 'show') => Promise<unknown>
  readonly quit: () => void
}

/** Does it; what the engine refuses is seen where it shows its state, so nothing is thrown. */
export async function runAction(deps: ActionDeps, action: Action): Promise<void> {
  try {
    await run(deps, action)
  } catch {
    deps.showMain(action.kind === 'transfer' || action.kind === 'received' ? TRANSFERS : undefined)
  }
}

async function run({ client, ...deps }: ActionDeps, action: Action): Promise<unknown> {
  switch (action.kind) {
    case 'open':
      return deps.showMain()
    case 'go':
      return deps.showMain(action.hash)
    case 'small':
      return deps.showSmall()
    case 'copy':
      return deps.copy(action.text)
    case 'start-engine':
      return deps.startEngine()
    case 'quit':
      return deps.quit()
    case 'connect':
      return client.json({ method: 'PATCH', path: METHODS.editPrefs.path, body: { WantRunning: action.on, WantRunningSet: true } })
    case 'allow-lan':
      return change({ client, ...deps }, { Prefs: { ExitNodeAllowLANAccess: action.on, ExitNodeAllowLANAccessSet: true } }, () =>
        client.json({ method: 'PATCH', path: METHODS.editPrefs.path, body: { ExitNodeAllowLANAccess: action.on, ExitNodeAllowLANAccessSet: true } }))
    case 'exit': {
      const make = (): Promise<unknown> => client.json({ method: 'POST', path: METHODS.exitNodeAction.path, body: action.do })
      if (action.do.Do !== 'use' && action.do.Do !== 'clear') return make()
      return change({ client, ...deps }, exitChange(action.do.Do === 'use' ? action.do.Node : ''), make)
    }
    case 'trial':
      return client.json({ method: 'POST', path: METHODS.answerTrial.path, body: { ID: action.id, Answer: action.answer } })
    case 'send-files':
      return deps.sendFiles()
    case 'transfer':
      return client.json({ method: 'POST', path: METHODS.transferAction.path, body: action.do })
    case 'received':
      return deps.openReceived(action.id, action.how)
    case 'switch-account':
      return client.json({ method: 'POST', path: `${METHODS.profiles.path}${encodeURIComponent(action.id)}` })
    case 'add-account':
      await client.json({ method: 'PUT', path: METHODS.profiles.path })
      return deps.showMain()
    case 'renew':
      await client.json({ method: 'POST', path: METHODS.loginInteractive.path })
      return deps.showMain()
  }
}

/** Makes a change; one that is tried first is asked about in the window. */
async function change({ client, showMain, wantsTrial }: ActionDeps, wanted: WantedChange, make: () => Promise<unknown>): Promise<void> {
  if ((await tryFirst(client, wanted, make, { wantsTrial, refusesBlocked: true })) === 'tried') showMain()
}
