/**
 * Installing and removing the service of the computer from the window: which command does it, and asking for the admin rights.
 *
 * A package of the system has the command at /usr/bin/bowline. Elsewhere (an AppImage, a checkout) the command's own file is run by the
 * system's Node; of an AppImage, whose mount nobody but this user can read, a copy is made first, in a folder of this user alone.
 */
import { cpSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { tmpdir } from 'node:os'
import { UNIT_NAME, type ServicePlace } from '../client/service-place.ts'
import type { MachineWhy } from '../localapi/machine.ts'
import type { ServiceChange, ServicePage } from '../localapi/service.ts'
import { servicePage, type ServiceActions } from '../web/service-requests.ts'
import { adminAsker, runAsAdmin } from './admin-rights.ts'
import type { Engines } from './engines.ts'

const PACKAGED_COMMAND = '/usr/bin/bowline'
const NODES = ['/usr/bin/node', '/usr/bin/nodejs', '/usr/local/bin/node']

export interface ServiceDeskOptions {
  readonly place: ServicePlace
  /** The socket that the window speaks with now. */
  readonly socket: () => string
  /** Folder of the packaged app's parts; undefined in a checkout. */
  readonly resources: string | undefined
  /** Folder of the bundles of a checkout. */
  readonly dist: string
  readonly engines: Pick<Engines, 'look' | 'prepareOwn' | 'dropOwn'>
}

/** The command's words, and the folder to copy first, with the words' own beginning. */
interface Command {
  readonly words: readonly string[]
  readonly copy?: string
}

export class ServiceDesk implements ServiceActions {
  readonly #options: ServiceDeskOptions
  #running: Promise<ServiceChange> | undefined

  constructor(options: ServiceDeskOptions) {
    this.#options = options
  }

  page(): Promise<ServicePage> {
    const { place, socket } = this.#options
    const words = this.#command()?.words
    return servicePage({ place, socket: socket(), command: words ? `sudo ${words.join(' ')} service` : 'sudo bowline service', cannotAsk: this.#cannotAsk() })
  }

  /** The accounts of our own engine move there with it; where they do not, it says why, and they stay. */
  install(): Promise<ServiceChange> {
    return this.#once(async () => {
      const change = await this.#run(['install', `--operator=${process.getuid?.() ?? ''}`])
      const stays = change.Did === 'done' ? await this.#options.engines.look() : undefined
      return { ...change, ...(stays ? { Why: stays } : {}), Service: await this.page() }
    })
  }

  /** Its accounts move to an engine of our own first. */
  remove(): Promise<ServiceChange> {
    const { engines } = this.#options
    return this.#once(async () => {
      const to = await engines.prepareOwn()
      const change = await this.#run(['uninstall', ...(to === undefined ? [] : ['--keep-node', `--to=${to}`])])
      if (change.Did !== 'done') await engines.dropOwn()
      // Once is not enough: it might only be between two versions.
      else for (let i = 0; i < 2; i++) await engines.look()
      return { ...change, Service: await this.page() }
    })
  }

  /** Has systemd start it again. Rejects with a code. */
  async restart(): Promise<void> {
    const asker = adminAsker()
    const systemctl = ['/usr/bin/systemctl', '/bin/systemctl'].find((path) => existsSync(path))
    const asked = asker !== undefined && systemctl !== undefined ? await runAsAdmin(asker, [systemctl, 'restart', UNIT_NAME]) : undefined
    if (asked?.kind === 'done') return
    throw Object.assign(new Error(asked?.kind === 'failed' ? asked.message : RESTART_BY_HAND), { code: asked?.kind ?? 'not-supported' })
  }

  /** One question at a time. */
  #once(act: () => Promise<ServiceChange>): Promise<ServiceChange> {
    this.#running ??= act().finally(() => (this.#running = undefined))
    return this.#running
  }

  async #run(words: readonly string[]): Promise<ServiceChange> {
    const cannot = this.#cannotAsk()
    const [asker, command] = [adminAsker(), this.#command()]
    if (cannot || !asker || !command) return { Did: 'failed', Why: cannot ?? NO_ASKER, Service: await this.page() }
    const copied = command.copy === undefined ? undefined : copyAside(command.copy)
    const run = copied === undefined ? command.words : command.words.map((word) => word.replace(command.copy!, copied))
    try {
      const asked = await runAsAdmin(asker, [...run, 'service', ...words])
      const Service = await this.page()
      return asked.kind === 'failed' ? { Did: 'failed', Why: { Code: asked.code, Text: asked.message }, Service } : { Did: asked.kind, Service }
    } finally {
      if (copied !== undefined) rmSync(copied, { recursive: true, force: true })
    }
  }

  #cannotAsk(): MachineWhy | undefined {
    if (this.#options.place.system !== 'systemd') return { Code: 'not-this-system', Text: 'A service cannot be installed from here on this system yet.' }
    if (!adminAsker()) return NO_ASKER
    return this.#command() ? undefined : { Code: 'no-node', Text: 'The service needs Node.js 20.18 or newer: install it from the system’s packages, or use a package of Bowline for this system.' }
  }

  #command(): Command | undefined {
    const { resources, dist } = this.#options
    const node = NODES.find((path) => existsSync(path))
    if (resources === undefined) return node === undefined ? undefined : { words: [node, join(dist, '..', 'build/scripts/bowline.mjs')] }
    // A package put the app where root owns it, and its command beside it.
    if (existsSync(PACKAGED_COMMAND) && statSync(resources).uid === 0 && !('APPIMAGE' in process.env)) return { words: [PACKAGED_COMMAND] }
    return node === undefined ? undefined : { words: [node, join(resources, 'cli/command.mjs')], copy: resources }
  }
}

const RESTART_BY_HAND = 'The service is started again with: sudo systemctl restart bowline'

const NO_ASKER: MachineWhy = { Code: 'no-pkexec', Text: 'This desktop cannot ask for admin rights (there is no pkexec). The command does the same in a terminal.' }

/** The command and the add-on, in a folder of this user alone. */
function copyAside(resources: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'bowline-service-'))
  for (const name of ['cli', 'native']) cpSync(join(resources, name), join(folder, name), { recursive: true })
  return folder
}
