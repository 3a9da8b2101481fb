/**
 * Registration as Headscale 0.29 does it, in its order: logout, known key, follow-up, auth key, interactive.
 *
 * Every refusal is a reply with `Error`. An interactive sign-in is a pending entry with a secret for its page; it ends
 * when somebody confirms it, rejects it, or after 15 minutes. A rejected or ended one answers its poll with a new link.
 */
import type { Clock } from '../../../main/engine/base/env.ts'
import type { MachinePublicKey } from '../../../main/engine/base/keys.ts'
import type { Hostinfo, RegisterRequest, RegisterResponse } from '../../../main/engine/core/tailcfg/types.ts'
import { ZERO_TIME } from '../../../main/engine/core/tailcfg/types.ts'
import type { AuthKey, SimNode, SimUser, Tailnet } from './tailnet.ts'

/** Somebody's device waiting on the sign-in page. */
export interface PendingSignIn {
  readonly id: string
  readonly url: string
  readonly machineKey: MachinePublicKey
  readonly nodeKey: string
  readonly hostinfo: Hostinfo
  readonly expiryMs: number | undefined
  /** What the page's form must send back, besides its cookie. */
  readonly formSecret: string
  readonly createdMs: number
}

type Outcome = { readonly kind: 'approved'; readonly node: SimNode } | { readonly kind: 'ended' }

const PENDING_MS = 15 * 60_000 // Headscale's cache
const MAX_PENDING = 1024

export class Registration {
  readonly #tailnet: Tailnet
  readonly #clock: Clock
  readonly #baseUrl: () => string
  readonly #pending = new Map<string, { signIn: PendingSignIn; done: Promise<Outcome>; finish(outcome: Outcome): void }>()

  constructor(tailnet: Tailnet, clock: Clock, baseUrl: () => string) {
    this.#tailnet = tailnet
    this.#clock = clock
    this.#baseUrl = baseUrl
  }

  /** The reply to a register request from this machine; a follow-up waits for its sign-in. */
  async answer(machineKey: MachinePublicKey, request: RegisterRequest): Promise<RegisterResponse> {
    const known = this.#tailnet.nodeByKey(request.NodeKey)
    const expiryMs = wallOf(request.Expiry)
    if (known && expiryMs !== undefined && expiryMs < this.#clock.wallMs()) return this.#logout(known, machineKey)
    if (known && !request.Auth) return this.#known(known, machineKey, expiryMs)
    if (request.Followup) return this.#followUp(machineKey, request)
    if (request.Auth?.AuthKey) return this.#withAuthKey(machineKey, request, request.Auth.AuthKey)
    return this.#interactive(machineKey, request)
  }

  #logout(node: SimNode, machineKey: MachinePublicKey): RegisterResponse {
    if (node.machineKey !== machineKey) return refusal('node exist with different machine key')
    if (this.#tailnet.isExpired(node)) return { ...success(node.user), NodeKeyExpired: true, MachineAuthorized: false }
    if (node.ephemeral) {
      this.#tailnet.remove(node)
      return { ...success(node.user), NodeKeyExpired: true, MachineAuthorized: false }
    }
    this.#tailnet.expire(node)
    return { ...success(node.user), NodeKeyExpired: true }
  }

  #known(node: SimNode, machineKey: MachinePublicKey, expiryMs: number | undefined): RegisterResponse {
    if (node.machineKey !== machineKey) return refusal('node exists with a different machine key')
    if (this.#tailnet.isExpired(node)) return { ...success(node.user), NodeKeyExpired: true, MachineAuthorized: false }
    return expiryMs === undefined ? success(node.user) : refusal('extending key is not allowed')
  }

  #withAuthKey(machineKey: MachinePublicKey, request: RegisterRequest, text: string): RegisterResponse {
    const key = this.#tailnet.authKeys.get(text)
    const again = this.#tailnet.nodeByKey(request.NodeKey)
    if (again && again.machineKey !== machineKey) return refusal('node key already in use by another machine')
    if (again && !this.#tailnet.isExpired(again)) return success(again.user)
    const fault = this.#faultOf(key)
    if (fault !== undefined || !key) return refusal(fault ?? 'invalid pre auth key')
    key.used = true
    const { user, tags, ephemeral } = key
    const node = this.#tailnet.admit({
      machineKey,
      nodeKey: request.NodeKey,
      user,
      tags,
      ephemeral,
      hostinfo: request.Hostinfo ?? {},
      expiryMs: wallOf(request.Expiry),
    })
    return success(node.user)
  }

  #faultOf(key: AuthKey | undefined): string | undefined {
    if (!key) return 'invalid pre auth key'
    if (key.expiryMs !== undefined && key.expiryMs <= this.#clock.wallMs()) return 'authkey expired'
    return key.used && !key.reusable ? 'authkey already used' : undefined
  }

  #interactive(machineKey: MachinePublicKey, request: RegisterRequest): RegisterResponse {
    const id = `hskey-authreq-${this.#tailnet.token(12)}`
    const signIn: PendingSignIn = {
      id,
      url: `${this.#baseUrl()}/register/${id}`,
      machineKey,
      nodeKey: request.NodeKey,
      hostinfo: request.Hostinfo ?? {},
      expiryMs: wallOf(request.Expiry),
      formSecret: this.#tailnet.token(16),
      createdMs: this.#clock.wallMs(),
    }
    const { promise, resolve } = deferred<Outcome>()
    if (this.#pending.size >= MAX_PENDING) this.#end([...this.#pending.keys()][0]!)
    this.#pending.set(id, { signIn, done: promise, finish: resolve })
    this.#clock.after(PENDING_MS, () => this.#end(id))
    return { ...refusal(''), AuthURL: signIn.url }
  }

  async #followUp(machineKey: MachinePublicKey, request: RegisterRequest): Promise<RegisterResponse> {
    const entry = this.#pending.get(request.Followup?.split('/').at(-1) ?? '')
    if (!entry || entry.signIn.machineKey !== machineKey) return this.#interactive(machineKey, request)
    const outcome = await entry.done
    return outcome.kind === 'approved' ? success(outcome.node.user) : this.#interactive(machineKey, request)
  }

  /** The devices that wait for somebody, oldest first. */
  pending(): PendingSignIn[] {
    return [...this.#pending.values()].map((entry) => entry.signIn)
  }

  find(id: string): PendingSignIn | undefined {
    return this.#pending.get(id)?.signIn
  }

  /** Lets the waiting device in as this user; undefined when nobody waits under that id. */
  approve(id: string, login: string): SimNode | undefined {
    const entry = this.#pending.get(id)
    if (!entry) return undefined
    this.#pending.delete(id)
    const { machineKey, nodeKey, hostinfo, expiryMs } = entry.signIn
    const node = this.#tailnet.admit({ machineKey, nodeKey, hostinfo, expiryMs, user: this.#tailnet.user(login) })
    entry.finish({ kind: 'approved', node })
    return node
  }

  /** Sends the waiting device away; it is given a new link. */
  reject(id: string): boolean {
    return this.#end(id)
  }

  #end(id: string): boolean {
    const entry = this.#pending.get(id)
    this.#pending.delete(id)
    entry?.finish({ kind: 'ended' })
    return entry !== undefined
  }
}

function success(user: SimUser): RegisterResponse {
  return {
    User: { ID: user.id, DisplayName: user.displayName },
    Login: { ID: user.id, LoginName: user.login, DisplayName: user.displayName },
    NodeKeyExpired: false,
    MachineAuthorized: true,
    AuthURL: '',
  }
}

function refusal(Error: string): RegisterResponse {
  return { User: { ID: 0 }, Login: { ID: 0 }, NodeKeyExpired: false, MachineAuthorized: false, AuthURL: '', Error }
}

/** Wall time of a request's Expiry; undefined for none or the zero time. */
function wallOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '' || text === ZERO_TIME) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((done) => (resolve = done))
  return { promise, resolve }
}
