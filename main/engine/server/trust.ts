/**
 * bowline/trust: the certificates that a person added for a control server. `server=URL` names another one than that in
 * use, so that a certificate can be added before the first sign-in.
 */
import { EngineError } from '../base/errors.ts'
import type { TrustedCertificate } from '../../localapi/types.ts'
import type { Call } from './handlers.ts'
import { json } from './reply.ts'
import type { Reply } from './reply.ts'

interface Added {
  readonly subject: string
  readonly issuer: string
  readonly fingerprint: string
  readonly fromMs: number
  readonly toMs: number
  readonly isAuthority: boolean
  readonly pem: string
}

/** What is trusted beside the machine's roots; its methods throw EngineError. */
export interface Trust {
  list(url?: string): { readonly server: string; readonly certificates: readonly Added[]; readonly shown: readonly Added[] }
  add(pem: string, url?: string): readonly Added[]
  remove(fingerprint: string, url?: string): Added
}

export function listTrust({ trust, query }: Call): Reply {
  const { server, certificates, shown } = trust.list(serverIn(query))
  return json({ Server: server, Certificates: certificates.map(toJson), ...(shown.length === 0 ? {} : { Shown: shown.map(toJson) }) })
}

export function addTrust({ trust, query, body }: Call): Reply {
  const pem = (body as { PEM?: unknown } | undefined)?.PEM
  if (typeof pem !== 'string') throw new EngineError('bad-argument', 'trust wants a JSON object with the certificates in PEM')
  const url = serverIn(query)
  const added = trust.add(pem, url)
  return json({ Server: trust.list(url).server, Certificates: added.map(toJson) })
}

export function removeTrust({ trust, query }: Call): Reply {
  return json(toJson(trust.remove(query.get('fingerprint') ?? '', serverIn(query))))
}

function serverIn(query: URLSearchParams): string | undefined {
  return query.get('server') || undefined
}

function toJson({ subject, issuer, fingerprint, fromMs, toMs, isAuthority, pem }: Added): TrustedCertificate {
  return { Subject: subject, Issuer: issuer, Fingerprint: fingerprint, NotBefore: new Date(fromMs).toISOString(), NotAfter: new Date(toMs).toISOString(), IsAuthority: isAuthority, PEM: pem }
}
