/**
 * Brings a file of "x" without end into an inbox, until it is killed: `node inbox-writer.ts FOLDER`.
 */
import { SystemClock } from '../../main/engine/io/clock.ts'
import { DiskInbox } from '../../main/engine/io/inbox/inbox.ts'
import { systemRandom } from '../../main/engine/io/random.ts'

const inbox = new DiskInbox({ env: { clock: new SystemClock(), random: systemRandom } })
const receiving = await inbox.open({ folder: process.argv[2]!, sender: 'n1', name: 'big' }, 0, -1)
const piece = Buffer.alloc(100_000, 'x')
// A few MB a turn, so that whoever kills it does not have to be quick.
for (let i = 0; i < 100_000; i++) {
  await receiving.write(piece)
  if (i % 40 === 0) await new Promise((resolve) => setTimeout(resolve, 100))
}
