/**
 * Headscale's own mock identity provider (`headscale mockoidc`): no pages, each login is the next user of its list.
 */
import { Child } from '../../support/child.ts'
import { freeTcpPort } from '../../support/ports.ts'
import { waitFor } from '../../support/wait.ts'
import type { OidcConfig } from './identity-provider.ts'

export class MockOidc {
  readonly #program: string
  readonly #users: readonly string[]
  #child: Child | undefined
  #port = 0

  /** `users`: who signs in, one after the other. */
  constructor(program: string, users: readonly string[]) {
    this.#program = program
    this.#users = users
  }

  get config(): OidcConfig {
    return { issuer: `http://127.0.0.1:${this.#port}/oidc`, clientId: 'superclient', clientSecret: 'supersecret' }
  }

  get log(): string {
    return this.#child?.log ?? ''
  }

  async start(): Promise<void> {
    this.#port = await freeTcpPort()
    const { clientId, clientSecret, issuer } = this.config
    const users = this.#users.map((name) => ({ Subject: name, Email: `${name}@lab.internal`, EmailVerified: true, PreferredUsername: name }))
    const child = new Child({
      name: 'mockoidc', command: this.#program, args: ['mockoidc'],
      env: {
        MOCKOIDC_ADDR: '127.0.0.1', MOCKOIDC_PORT: String(this.#port), MOCKOIDC_CLIENT_ID: clientId, MOCKOIDC_CLIENT_SECRET: clientSecret,
        MOCKOIDC_ACCESS_TTL: '10m', MOCKOIDC_USERS: JSON.stringify(users),
      },
    })
    this.#child = child
    await waitFor('mockoidc to serve', async () => {
      child.assertRunning()
      return (await fetch(`${issuer}/.well-known/openid-configuration`)).status === 200
    }, { withinMs: 20_000 })
  }

  async stop(): Promise<void> {
    await this.#child?.stop()
  }
}
