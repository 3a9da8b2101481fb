/**
 * Peers that are only known to the server: control clients in one process, registered and online, with addresses and a home
 * relay, and nothing behind them.
 *
 *   silent-peers.ts CONTROLURL AUTHKEY COUNT      prints `ready` when all have joined, and runs until ended
 */
import { ControlClient } from '../interop/control-client.ts'
import { waitFor } from '../support/wait.ts'

/** Clients that register at once. */
const AT_ONCE = 10

const [controlUrl = '', authKey = '', count = '0'] = process.argv.slice(2)
let next = 0

async function joinSome(): Promise<void> {
  for (let number = next++; number < Number(count); number = next++) {
    const client = new ControlClient(`silent-${number}`)
    const NetInfo = { PreferredDERP: 900 + (number % 2), WorkingUDP: true, MappingVariesByDestIP: false }
    client.tell({ hostinfo: { ...client.hostinfo, NetInfo }, endpoints: [{ addr: `198.51.100.${number + 1}:41641`, type: 2 }] })
    client.control.begin({ controlUrl, machineKey: client.machineKey, nodeKey: undefined, authKey, interactive: false })
    await waitFor(`${client.hostinfo.Hostname} to join`, () => client.state.kind === 'running', { withinMs: 120_000 })
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, joinSome))
console.log('ready')
