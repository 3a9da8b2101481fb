/**
 * Follows a sign-in until this device is connected, and tells a person what they must know meanwhile.
 *
 * Two sources: the bus says when it is over, the session's pages say step by step what goes on and what is wrong. An engine
 * without such pages (the stock daemon) is followed by the bus alone. Both are opened before anything is asked for, so
 * that no news is missed, and what they say first is the state from before.
 */
import { STATE_NUMBER } from '../localapi/types.ts'
import type { Notify, SessionPage } from '../localapi/types.ts'
import { WATCH } from '../localapi/watch-mask.ts'
import { CliError, EXIT } from './exit.ts'
import { problemText } from './next-action.ts'
import { pause } from './pause.ts'
import { qrText } from './qr.ts'
import type { QrFormat } from './qr.ts'
import { StepLines } from './steps.ts'
import { printable, styled } from './text.ts'
import { printJson } from './verb.ts'
import type { Context } from './verb.ts'

export type Outcome = 'done' | 'closed' | 'aborted'

export interface SignInOptions {
  /** Only another node key than this one ends it. */
  readonly oldKey: string | undefined
  /** With an auth key no link is of use. */
  readonly quietAboutLink: boolean
  readonly qr: QrFormat | undefined
}

/** A problem that lasts is told again only when it has other words. A page waits 30 s at the engine. */
const PAGE_TIMEOUT_MS = 45_000
/** Between two looks while bus and session disagree. */
const DISAGREES_MS = 200

export class SignIn {
  readonly #context: Context
  readonly #options: SignInOptions
  readonly #lines: StepLines
  readonly #said = new Set<string>()
  #running = false
  #asked = false
  #newKey: boolean
  #started = false
  #setReady: () => void = () => {}
  readonly #busReady = new Promise<void>((resolve) => (this.#setReady = resolve))
  #first: SessionPage | undefined
  #latest: SessionPage | undefined

  constructor(context: Context, options: SignInOptions) {
    this.#context = context
    this.#options = options
    this.#newKey = options.oldKey === undefined
    this.#lines = new StepLines(context.terminal)
  }

  /** What the session said last since the sign-in began. */
  get page(): SessionPage | undefined {
    return this.#latest
  }

  /** Runs `ask` once both sources are open, and follows them; `ask` may answer that it is over already. */
  async run(signal: AbortSignal, ask: () => Promise<'done' | 'wait'>): Promise<Outcome> {
    this.#first = await this.#page(undefined, signal)
    if (this.#first) this.#lines.skip(this.#first)
    const over = new AbortController()
    const until = AbortSignal.any([signal, over.signal])
    const bus = this.#untilConnected(until)
    const pages = this.#followPages(until)
    const asked = Promise.race([this.#busReady, bus]).then(ask).then((how) => (how === 'done' ? this.#confirmed(until).then((sure) => (sure ? how : bus)) : bus))
    try {
      return await Promise.race([bus, asked])
    } catch (error) {
      throw await this.#withAction(error)
    } finally {
      over.abort()
      this.#lines.stop()
      // What ends after the end is of no interest.
      await Promise.allSettled([bus, pages, asked])
    }
  }

  /** Follows the bus until it says that we are connected and the session does not say otherwise. */
  async #untilConnected(signal: AbortSignal): Promise<Outcome> {
    for (;;) {
      const how = await this.#context.api.watch(WATCH.initialState, (notify) => this.#take(notify), signal)
      if (how !== 'done' || (await this.#confirmed(signal))) return how
      await pause(DISAGREES_MS, signal)
    }
  }

  /**
   * Whether the session agrees that this device is connected. The bus says so at once where the saved list of devices is used,
   * before the server was asked: then its word is waited for, which is a yes too when the server cannot be reached.
   */
  async #confirmed(signal: AbortSignal): Promise<boolean> {
    let page = await this.#page(undefined, signal)
    while (page?.Kind === 'working' && !signal.aborted) page = await this.#page(page.Version, signal)
    if (page?.Kind === 'running') this.#show(page)
    else if (page) this.#latest = page
    if (page?.Kind === 'failed') throw new CliError(EXIT.failed, 'sign-in-failed', 'Sign-in failed.')
    if (page?.Kind === 'needs-login') this.#askForLink()
    return page === undefined || page.Kind === 'running' || page.Kind === 'lost'
  }

  async #page(after: number | undefined, signal: AbortSignal): Promise<SessionPage | undefined> {
    try {
      return await this.#context.api.call('session', { query: after === undefined ? {} : { after }, timeoutMs: PAGE_TIMEOUT_MS, signal })
    } catch (error) {
      if (error instanceof CliError && error.exitCode !== EXIT.noEngine) return undefined
      throw error
    }
  }

  async #followPages(signal: AbortSignal): Promise<void> {
    let after = this.#first?.Version
    while (after !== undefined && !signal.aborted) {
      const page: SessionPage | undefined = await this.#page(after, signal).catch(() => undefined)
      if (page !== undefined && page.Version !== after) this.#show(page)
      after = page?.Version
    }
  }

  #show(page: SessionPage): void {
    this.#latest = page
    if (this.#context.json) {
      if (page.AuthURL !== undefined) this.#sayLink(page.AuthURL)
      return
    }
    // A saved key needs no steps: it is there at once, or there is a problem.
    const steps = page.Steps.length > 2
    if (steps) this.#lines.finished(page)
    if (page.AuthURL !== undefined) this.#sayLink(page.AuthURL)
    // To sign in is what we do; a refused key ends it, and is told then.
    if (page.Problem && page.Kind !== 'failed' && !['sign-in-again', 'new-auth-key'].includes(page.Problem.Action.Kind)) this.#say(problemText(page.Problem, Date.now()))
    if (steps) this.#lines.running(page)
  }

  #take(notify: Notify): boolean {
    if (!this.#started) {
      this.#started = true
      this.#running = notify.State === STATE_NUMBER.Running
      this.#setReady()
      return false
    }
    if (notify.ErrMessage !== null) throw new CliError(EXIT.failed, 'sign-in-failed', `Sign-in failed: ${notify.ErrMessage}`)
    if (notify.BrowseToURL !== null) this.#tookLink(notify.BrowseToURL)
    if (notify.State === STATE_NUMBER.NeedsMachineAuth) this.#say('An administrator of the network has to approve this device. Waiting.')
    if (notify.State === STATE_NUMBER.NeedsLogin) this.#askForLink()
    if (notify.State !== null) this.#running = notify.State === STATE_NUMBER.Running
    if (notify.SelfChange && notify.SelfChange.Key !== this.#options.oldKey) this.#newKey = true
    return this.#running && this.#newKey && (notify.State !== null || notify.Prefs !== null || notify.SelfChange !== undefined)
  }

  /** The server does not take the saved key any more: a person has to sign in, once. */
  #askForLink(): void {
    if (this.#options.quietAboutLink || this.#asked) return
    this.#asked = true
    void this.#context.api.call('loginInteractive').catch(() => undefined)
  }

  /** A failure with what the session says about it, and what to do. */
  async #withAction(error: unknown): Promise<unknown> {
    if (!(error instanceof CliError) || error.code !== 'sign-in-failed') return error
    const page = await this.#page(undefined, AbortSignal.timeout(2_000)).catch(() => undefined)
    if (page?.Problem === undefined) return error
    this.#show(page)
    this.#lines.stop()
    const code = page.Problem.Code === 'access-denied' || page.Problem.Code === 'control-refused' ? EXIT.denied : EXIT.failed
    return new CliError(code, 'sign-in-failed', `Sign-in failed: ${problemText(page.Problem, Date.now())}`)
  }

  /** A new link is told by the pages, in its place among the steps; one from before makes no new page. */
  #tookLink(link: string): void {
    if (this.#first === undefined) this.#sayLink(link)
    else if (this.#first.AuthURL === link) this.#show(this.#first)
  }

  #sayLink(link: string): void {
    if (this.#options.quietAboutLink || this.#said.has(link)) return
    this.#said.add(link)
    const { json, terminal } = this.#context
    if (json) return printJson(terminal, { BackendState: 'NeedsLogin', AuthURL: link })
    const picture = this.#options.qr === undefined ? '' : `${qrText(link, this.#options.qr)}\n\n`
    this.#lines.stop()
    terminal.err(`\nTo sign in, open this page:\n\n    ${styled('strong', printable(link))}\n\n${picture}`)
  }

  #say(text: string): void {
    if (this.#said.has(text)) return
    this.#said.add(text)
    if (!this.#context.json) this.#context.terminal.err(`${styled('warning', '!')} ${printable(text)}\n`)
  }
}
