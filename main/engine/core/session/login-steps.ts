/**
 * The steps of a login as a person is told them, each with its time and its reason. Pure; made from the states of the
 * session alone, so that it can tell nothing that did not happen.
 *
 *   saved key   server-key → map-received
 *   auth key    server-key → registration-sent → authorised → map-received
 *   link        server-key → registration-sent → link-shown → waiting-for-approval → authorised → map-received
 *
 * One step at most is running. A step that is tried again stays running and says why; it fails when the session ends
 * there. A login that is done stays done while its connection is lost and found again.
 */
import type { ControlState } from './types.ts'

export type StepName = 'server-key' | 'registration-sent' | 'link-shown' | 'waiting-for-approval' | 'authorised' | 'map-received'

export interface StepView {
  readonly step: StepName
  readonly state: 'pending' | 'running' | 'done' | 'failed'
  /** When it began, in the caller's time. */
  readonly atMs: number | undefined
  readonly tookMs: number | undefined
  readonly why: string
}

export type LoginKind = 'saved-key' | 'auth-key' | 'link'

const PATH: Readonly<Record<LoginKind, readonly StepName[]>> = {
  'saved-key': ['server-key', 'map-received'],
  'auth-key': ['server-key', 'registration-sent', 'authorised', 'map-received'],
  link: ['server-key', 'registration-sent', 'link-shown', 'waiting-for-approval', 'authorised', 'map-received'],
}

const DONE_WHY: Readonly<Record<StepName, string>> = {
  'server-key': 'the server answered with its key',
  'registration-sent': 'the server took the registration',
  'link-shown': 'the server gave a sign-in page',
  'waiting-for-approval': 'the sign-in was approved',
  authorised: 'the server let this device in',
  'map-received': 'the list of devices is here',
}

export class LoginSteps {
  #steps: StepView[] = []
  #link = ''

  /** The steps of this login, in their order; none before the first. */
  get steps(): readonly StepView[] {
    return this.#steps
  }

  /** A new login begins. */
  handleBegin(kind: LoginKind): void {
    this.#steps = PATH[kind].map(pending)
    this.#link = ''
  }

  /** Nobody is to be signed in any more. */
  handleReset(): void {
    this.#steps = []
  }

  /** Takes a state of the session in and answers the steps that changed, in order. */
  handleState(nowMs: number, state: ControlState): readonly StepView[] {
    const before = this.#steps
    if (before.length > 0) this.#take(nowMs, state)
    return this.#steps.filter((step) => step.state !== 'pending' && !before.some((old) => same(old, step)))
  }

  #take(nowMs: number, state: ControlState): void {
    switch (state.kind) {
      case 'idle':
        return
      case 'working':
        return this.#working(nowMs, state)
      case 'waiting':
        this.#via('link')
        this.#done(nowMs, 'registration-sent')
        if (state.authUrl !== this.#link) this.#set('link-shown', { state: 'done', atMs: nowMs, tookMs: 0, why: state.why ?? DONE_WHY['link-shown'] })
        this.#link = state.authUrl
        return this.#run(nowMs, 'waiting-for-approval', 'somebody must approve this device at the sign-in page')
      case 'running':
        // The session before goes on where this login failed.
        if (this.#steps.some((step) => step.state === 'failed')) return
        this.#done(nowMs, 'authorised')
        return this.#done(nowMs, 'map-received')
      case 'lost':
        return this.#mark('running', state.message)
      case 'failed':
        return this.#mark('failed', state.message)
      case 'needs-login':
        return this.#mark('failed', state.why)
    }
  }

  #working(nowMs: number, state: Extract<ControlState, { kind: 'working' }>): void {
    switch (state.step) {
      case 'fetch-server-key':
        return this.#run(nowMs, 'server-key', state.why)
      case 'connect':
      case 'register':
        if (state.step === 'register') this.#register()
        this.#done(nowMs, 'server-key')
        return this.#run(nowMs, this.#has('registration-sent') ? 'registration-sent' : 'map-received', state.why)
      case 'wait-for-approval':
        return
      case 'authorised':
        this.#done(nowMs, 'waiting-for-approval')
        return this.#done(nowMs, 'authorised')
      case 'wait-for-map':
        this.#done(nowMs, 'server-key')
        return this.#run(nowMs, 'map-received', state.why)
    }
  }

  /** A registration that was not foreseen: the server did not know the saved key. */
  #register(): void {
    if (!this.#has('registration-sent') || this.#steps.at(-1)!.state === 'done') this.#steps = PATH['auth-key'].map(pending)
  }

  /** The steps of another way, with what is known of them. */
  #via(kind: LoginKind): void {
    if (this.#steps.length === PATH[kind].length) return
    this.#steps = PATH[kind].map((step) => this.#steps.find((old) => old.step === step) ?? pending(step))
  }

  #has(step: StepName): boolean {
    return this.#steps.some((one) => one.step === step)
  }

  /** Marks the step as under way, unless it is over. */
  #run(nowMs: number, step: StepName, why: string): void {
    const now = this.#steps.find((one) => one.step === step)
    if (now === undefined || now.state === 'done') return
    this.#set(step, { state: 'running', atMs: now.state === 'running' ? now.atMs : nowMs, tookMs: undefined, why })
  }

  /** Marks the step as over, and those before it. */
  #done(nowMs: number, step: StepName): void {
    const last = this.#steps.findIndex((one) => one.step === step)
    for (const one of this.#steps.slice(0, last + 1)) {
      if (one.state === 'done') continue
      const atMs = one.atMs ?? nowMs
      this.#set(one.step, { state: 'done', atMs, tookMs: Math.max(0, nowMs - atMs), why: DONE_WHY[one.step] })
    }
  }

  /** Says of the step under way why it does not go on. */
  #mark(state: 'running' | 'failed', why: string): void {
    const at = this.#steps.find((one) => one.state === 'running')
    if (at) this.#set(at.step, { ...at, state, why })
  }

  #set(step: StepName, view: Omit<StepView, 'step'>): void {
    this.#steps = this.#steps.map((one) => (one.step === step ? { step, ...view } : one))
  }
}

function pending(step: StepName): StepView {
  return { step, state: 'pending', atMs: undefined, tookMs: undefined, why: '' }
}

function same(a: StepView, b: StepView): boolean {
  return a.step === b.step && a.state === b.state && a.why === b.why && a.atMs === b.atMs
}
