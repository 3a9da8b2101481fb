/**
 * A dnsmasq that knows some names, denies the rest and writes down every question. Needs dnsmasq-base.
 */
import { Child } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'

export interface Question {
  /** A, AAAA, PTR … */
  readonly type: string
  readonly name: string
  readonly from: string
}

export class NameServer {
  readonly address: string
  readonly #start: () => Child
  #child: Child
  #pastLog = ''

  /** Serves `names` (name → addresses) at `address`, where `prefix` runs commands. */
  constructor(address: string, prefix: readonly string[], names: Readonly<Record<string, readonly string[]>>) {
    this.address = address
    const known = Object.entries(names).flatMap(([name, addresses]) => addresses.map((one) => `--host-record=${name},${one}`))
    const args = ['--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--no-poll', '--user=root', '--pid-file', '--bind-interfaces', '--cache-size=0', '--local=/#/']
    this.#start = () => new Child({ name: 'dnsmasq', command: 'dnsmasq', args: [...args, `--listen-address=${address}`, '--log-queries', '--log-facility=-', ...known], prefix })
    this.#child = this.#start()
  }

  async start(): Promise<void> {
    await waitFor('dnsmasq to serve', () => {
      this.#child.assertRunning()
      return this.#child.log.includes('started')
    }, { withinMs: 30_000 })
  }

  /** Everything that it was asked so far, oldest first. */
  get questions(): Question[] {
    return [...(this.#pastLog + this.#child.log).matchAll(/query\[([A-Z0-9]+|type=\d+)\] (\S+) from (\S+)/g)].map(([, type, name, from]) => ({ type: type!, name: name!, from: from! }))
  }

  /** What it was asked of one name, as types. */
  asked(name: string): string[] {
    return this.questions.filter((one) => one.name === name).map(({ type }) => type)
  }

  async stop(): Promise<void> {
    await this.#child.stop()
  }

  /** Serves again after `stop`; what it was asked before is not forgotten. */
  async restart(): Promise<void> {
    this.#pastLog += this.#child.log
    this.#child = this.#start()
    await this.start()
  }
}
