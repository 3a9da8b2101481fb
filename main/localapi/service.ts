/**
 * The engine as a service of the computer, and how a node moves between engines, as clients see it. Names as on the wire.
 *
 *   a person's engine ──hand over──▶ the service        POST bowline/hand-over at the giver; it speaks to the receiver itself:
 *                                                       POST bowline/adopt, then GET bowline/adopt?id= until that is settled
 *
 *   adoption   trying → kept     the receiver is Running with that node; the giver wipes its own copy
 *              trying → refused  the receiver uses none of it and has wiped it; the giver goes on as before
 *
 * Between the offer and the end the giver uses none of its keys, also when it is started anew; whoever asks for an ID that the receiver has
 * never heard of makes it refused for good. So no two engines use one node, and none is lost.
 */
import type { MachineWhy } from './machine.ts'

/** The service as the host of a window sees it. */
export interface ServicePage {
  /** What runs services here; `none`: nothing that this build can install to. */
  readonly System: 'systemd' | 'launchd' | 'windows' | 'none'
  readonly Installed: boolean
  /** It answers now. */
  readonly Running: boolean
  /** This window speaks with it. */
  readonly InUse: boolean
  /** Why this host cannot ask for admin rights; absent: it can. */
  readonly CannotAsk?: MachineWhy
  /** What a person types in a terminal instead. */
  readonly InstallCommand: string
  readonly RemoveCommand: string
}

export interface ServiceChange {
  /** `declined`: the person gave no admin rights. */
  readonly Did: 'done' | 'declined' | 'failed'
  /** With `failed`. */
  readonly Why?: MachineWhy
  readonly Service: ServicePage
}

/** `give`: all accounts of this engine go to the engine at Socket, which is root's, or of the user that asks (root may name another: Uid). `take-back`: they stay after all, whatever that one says; it must be gone. */
export type HandOverAction = { readonly Do: 'give'; readonly Socket: string; readonly Uid?: number } | { readonly Do: 'take-back' }

export interface HandOverPage {
  /** `given`: this engine has none of it any more. `kept`: the last try came to nothing, and everything is as before. */
  readonly State: 'none' | 'moving' | 'given' | 'kept'
  /** With `moving` and `kept`. */
  readonly Why?: MachineWhy
}

/** From engine to engine alone: it holds private keys. */
export interface AdoptRequest {
  /** 32 hex digits of the giver's making. */
  readonly ID: string
  /** What the giver's state file says. */
  readonly State: string
  /** Certificates that a person let in, PEM, by server. */
  readonly Trust: Readonly<Record<string, string>>
}

export interface AdoptPage {
  /** '' when none was asked for. */
  readonly ID: string
  /** `ready`: without an ID, an offer would be tried. */
  readonly Phase: 'ready' | 'trying' | 'kept' | 'refused'
  /** With `refused`. */
  readonly Why?: MachineWhy
}
