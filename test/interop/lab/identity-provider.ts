/**
 * An identity provider on loopback: the certified `oidc-provider` library with a login form and a consent page in front.
 *
 *   /auth → /interaction/UID  login form (name) → /auth/UID → /interaction/UID  consent (Allow, Cancel) → the server's callback
 *
 * Whoever types a name is that person. Claims come from `claims`, so that a test can make them as hostile as it likes.
 */
import { generateKeyPairSync } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'

export interface IdentityOptions {
  /** Where the control server takes people back: `{server}/oidc/callback`. */
  redirectUri: string
  /** How long an ID token is good, in s; with `use_expiry_from_token` that is how long a sign-in lasts. */
  idTokenSec?: number
}

/** What the control server's configuration needs to know. */
export interface OidcConfig {
  issuer: string
  clientId: string
  clientSecret: string
  useExpiryFromToken?: boolean
}

export type Claims = Record<string, string | boolean>

export class IdentityProvider {
  /** What is said of the person who typed this name. */
  claims: (name: string) => Claims = (name) => ({ name: `${name} of the lab`, preferred_username: name, email: `${name}@lab.internal`, email_verified: true })
  /** How long ID tokens are good from now on, in s. */
  idTokenSec: number
  readonly #redirectUri: string
  readonly #key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
  #server: Server | undefined
  #port = 0

  constructor(options: IdentityOptions) {
    this.#redirectUri = options.redirectUri
    this.idTokenSec = options.idTokenSec ?? 86_400
  }

  get issuer(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get config(): OidcConfig {
    return { issuer: this.issuer, clientId: 'headscale', clientSecret: 'not-a-secret-of-anyone' }
  }

  /** Starts serving, on the same port as before if there was one; everybody is signed out then. */
  async start(): Promise<void> {
    const server = createServer((request, response) => void answer(request, response))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
    const provider = this.#provider()
    const protocol = provider.callback()
    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      try {
        if (request.url?.startsWith('/interaction/')) await interaction(provider, request, response)
        else protocol(request, response)
      } catch (error) {
        response.writeHead(400, { 'content-type': 'text/plain' }).end(`This sign-in is over: ${String(error)}`)
      }
    }
  }

  /** Stops serving: nobody can sign in until `start`. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (!server) return
    await new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
  }

  #provider(): Provider {
    const { clientId, clientSecret } = this.config
    return new Provider(this.issuer, {
      clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [this.#redirectUri], grant_types: ['authorization_code'], response_types: ['code'] }],
      claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'picture'], email: ['email', 'email_verified'] },
      conformIdTokenClaims: false,
      cookies: { keys: ['lab'] },
      features: { devInteractions: { enabled: false } },
      findAccount: (_context: unknown, name: string) => ({ accountId: name, claims: () => ({ sub: name, ...this.claims(name) }) }),
      interactions: { url: (_context: unknown, details: { uid: string }) => `/interaction/${details.uid}` },
      jwks: { keys: [{ ...this.#key, use: 'sig', alg: 'RS256' }] },
      pkce: { required: () => false },
      ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 86_400, IdToken: () => this.idTokenSec, Interaction: 600, Session: 86_400 },
    })
  }
}

/** One step of a sign-in: shows its page, or takes what was filled in. */
async function interaction(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const details = await provider.interactionDetails(request, response)
  if (request.method !== 'POST') return page(response, details.prompt.name === 'login' ? LOGIN_PAGE : CONSENT_PAGE)
  const form = new URLSearchParams(await bodyOf(request))
  if (form.get('action') === 'cancel') return provider.interactionFinished(request, response, { error: 'access_denied', error_description: 'The person said no.' })
  if (details.prompt.name === 'login') return provider.interactionFinished(request, response, { login: { accountId: form.get('name') ?? '' } })
  const grant = new provider.Grant({ accountId: details.session!.accountId, clientId: details.params.client_id })
  grant.addOIDCScope((details.prompt.details.missingOIDCScope ?? []).join(' '))
  grant.addOIDCClaims(details.prompt.details.missingOIDCClaims ?? [])
  return provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true })
}

const CANCEL = '<form method="post"><input type="hidden" name="action" value="cancel"><button>Cancel</button></form>'
const LOGIN_PAGE = `<form method="post"><label>Name <input name="name" required></label> <button>Sign in</button></form>${CANCEL}`
const CONSENT_PAGE = `<p>The network wants to know your name and e-mail address.</p><form method="post"><input type="hidden" name="action" value="allow"><button>Allow</button></form>${CANCEL}`

function page(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(`<!doctype html><html lang="en"><title>Identity of the lab</title><main>${body}</main></html>`)
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of request) text += String(part)
  return text
}
