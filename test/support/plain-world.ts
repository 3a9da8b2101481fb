/**
 * Diallers of io with nothing set: plain sockets, the system's names, no proxy, the machine's roots.
 */
import type { Socket } from 'node:net'
import { dial as dialIn, type DialOptions, type DialWorld } from '../../main/engine/io/dial.ts'
import { makeHttpFetch } from '../../main/engine/io/http-fetch.ts'
import { dialRelay as dialRelayIn, type RelayDialOptions } from '../../main/engine/io/relay-dial.ts'
import { Resolver, systemLookup } from '../../main/engine/io/resolve.ts'
import { Wires } from '../../main/engine/io/wires.ts'

export const plainWorld: DialWorld = { wires: new Wires(), resolver: new Resolver({ lookup: systemLookup }) }

/** What an Outside wants of the same kind. */
export const plainWays = { wires: plainWorld.wires, lookup: systemLookup }

export const dial = (options: DialOptions, world: DialWorld = plainWorld): Promise<Socket> => dialIn(options, world)

export const dialRelay = (host: string, port: number, options: RelayDialOptions): Promise<Socket> => dialRelayIn(host, port, options, plainWorld)

/** `ca` adds roots. */
export const plainFetch = (ca?: readonly string[]): ReturnType<typeof makeHttpFetch> => makeHttpFetch(dial, ca)
