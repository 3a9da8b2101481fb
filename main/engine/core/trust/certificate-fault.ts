/**
 * Why a server's certificate was refused, as a code and one sentence with the next step. Pure.
 *
 * Judged are OpenSSL's verdict and what the server showed. Whoever issued the certificate is always named: a company's
 * firewall that opens TLS shows itself by that name and by nothing else.
 * Source of the makers' names: what these boxes write into the certificates they make (tailscale net/tlsdial/blockblame,
 * vendors' manuals), read 2026-11.
 */
import { EngineError, type ErrorCode } from '../../base/errors.ts'
import { printable } from '../../base/printable.ts'

/** One certificate as the server showed it. Texts are the server's own: they are made printable here. */
export interface SeenCertificate {
  /** Common name, else organisation. */
  readonly subject: string
  readonly issuer: string
  readonly issuerOrganisation: string
  /** DNS names and addresses that it is for. */
  readonly names: readonly string[]
  readonly validFromMs: number
  readonly validToMs: number
}

/** A certificate that was refused. */
export class CertificateError extends EngineError {
  /** When the certificate is good; undefined when time is not what is wrong with it. */
  readonly validity: { readonly fromMs: number; readonly toMs: number } | undefined
  /** Who issued it, printable; "" = nobody knows. */
  readonly issuer: string

  constructor(code: ErrorCode, message: string, validity?: { fromMs: number; toMs: number }, issuer = '') {
    super(code, message)
    this.validity = validity
    this.issuer = issuer
  }
}

export interface RefusedCertificate {
  readonly host: string
  /** OpenSSL's or Node's word, such as CERT_HAS_EXPIRED. */
  readonly verdict: string
  /** What the server showed, its own certificate first. */
  readonly chain: readonly SeenCertificate[]
  readonly wallMs: number
  /** Who vouched for this host when it was last reached, as `vouchedBy` names it: another one now stands in the way. */
  readonly vouchedBefore: string | undefined
  /** Organisations behind the roots that this machine trusts, lower case. */
  readonly knownOrganisations: ReadonlySet<string>
}

/** Makers of boxes and programs that open TLS, by words in the issuer's name. */
const INTERCEPTORS: readonly (readonly [RegExp, string])[] = [
  [/fortinet|fortigate/i, 'Fortinet'],
  [/palo alto|pan-fw/i, 'Palo Alto Networks'],
  [/zscaler/i, 'Zscaler'],
  [/sophos/i, 'Sophos'],
  [/netskope/i, 'Netskope'],
  [/check ?point/i, 'Check Point'],
  [/\bcisco\b|umbrella/i, 'Cisco'],
  [/sonicwall/i, 'SonicWall'],
  [/watchguard/i, 'WatchGuard'],
  [/barracuda/i, 'Barracuda'],
  [/forcepoint|websense/i, 'Forcepoint'],
  [/blue ?coat|symantec web/i, 'Symantec'],
  [/mcafee web|skyhigh/i, 'Skyhigh'],
  [/cloudflare (gateway|for teams)|gateway ca - cloudflare/i, 'Cloudflare Gateway'],
  [/untangle|arista edge threat/i, 'Untangle'],
  [/\bunifi\b|ubiquiti/i, 'Ubiquiti'],
  [/\baruba\b/i, 'Aruba'],
  [/securly|lightspeed|goguardian|smoothwall|contentkeeper|iboss/i, 'a content filter'],
  [/kaspersky|bitdefender|eset |avast|avg web|\bnorton\b|adguard/i, 'a virus scanner on this computer'],
  [/mitmproxy|\bburp\b|portswigger|charles proxy|fiddler|\bsquid\b/i, 'a TLS proxy'],
]

/** Hosts of services whose certificates are public. */
const PUBLIC_HOSTS = /(^|\.)(tailscale\.com|tailscale\.io)$/i

/** Organisations of public intermediates whose name differs from their root's. */
const PUBLIC_INTERMEDIATES = /let's encrypt|google trust services|digicert|sectigo|zerossl|globalsign|amazon|buypass|ssl corporation/i

const UNKNOWN_ISSUER: readonly string[] = [
  'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERT_UNTRUSTED',
]

/** The last day that a Date can hold. */
const MAX_DATE_MS = 8.64e15

const ADD_IT = "If it is your server's own, add it: bowline trust add FILE"

/** The refusal as an error whose text says what, where and what to do. */
export function certificateFault(refused: RefusedCertificate): CertificateError {
  const { verdict, host, chain, wallMs } = refused
  const leaf = chain[0]
  if (!leaf) return fault('cert-untrusted', `${host} showed no certificate. Ask whoever runs the server`)
  const stale = chain.find((each) => wallMs < each.validFromMs || wallMs > each.validToMs)
  if (verdict === 'CERT_HAS_EXPIRED' || verdict === 'CERT_NOT_YET_VALID') return outOfDate(refused, stale ?? leaf, stale === undefined || stale === leaf)
  if (verdict === 'ERR_TLS_CERT_ALTNAME_INVALID' || verdict === 'HOSTNAME_MISMATCH') return wrongName(refused, leaf)
  if (verdict === 'DEPTH_ZERO_SELF_SIGNED_CERT') return interception(refused) ?? selfSigned(host, leaf)
  if (UNKNOWN_ISSUER.includes(verdict)) return interception(refused) ?? unknownIssuer(refused)
  return fault('cert-untrusted', `the certificate of ${host} (issued by ${quoted(vouchedBy(chain))}) cannot be trusted: ${printable(verdict, 60)}. Ask whoever runs the server`)
}

function outOfDate({ host, verdict, wallMs }: RefusedCertificate, certificate: SeenCertificate, isLeaf: boolean): CertificateError {
  const whose = isLeaf ? `the certificate of ${host}` : `the certificate of ${quoted(certificate.subject)}, which vouches for ${host},`
  const validity = { fromMs: certificate.validFromMs, toMs: certificate.validToMs }
  if (verdict === 'CERT_NOT_YET_VALID') {
    const text = `${whose} is good only from ${day(certificate.validFromMs)} on, and this computer's clock says ${day(wallMs)}. Set the clock if it is wrong, or ask whoever runs the server`
    return new CertificateError('cert-not-yet-valid', text, validity)
  }
  return new CertificateError('cert-expired', `${whose} expired on ${day(certificate.validToMs)} (this computer's clock says ${day(wallMs)}). Ask whoever runs the server to renew it`, validity)
}

function wrongName({ host }: RefusedCertificate, leaf: SeenCertificate): CertificateError {
  const names = leaf.names.slice(0, 3).map((name) => printable(name, 100))
  const forWhat = names.length === 0 ? 'no name at all' : names.join(', ') + (leaf.names.length > names.length ? ', …' : '')
  return fault('cert-wrong-name', `the certificate at ${host} is for another name: ${forWhat} (issued by ${quoted(leaf.issuer)}). Use the name that the server is known by, or ask whoever runs it`)
}

function interception(refused: RefusedCertificate): CertificateError | undefined {
  const { host, chain } = refused
  const written = chain.flatMap((each) => [each.issuer, each.issuerOrganisation])
  const maker = INTERCEPTORS.find(([words]) => written.some((text) => words.test(text)))?.[1]
  const before = refused.vouchedBefore === vouchedBy(chain) ? undefined : refused.vouchedBefore
  if (maker === undefined && before === undefined && !PUBLIC_HOSTS.test(host)) return undefined
  const by = maker !== undefined ? `, which looks like ${maker}` : before !== undefined ? `, where ${quoted(before)} vouched for it before` : ''
  return fault(
    'cert-intercepted',
    `your network intercepts TLS: the certificate shown for ${host} was made by ${quoted(vouchedBy(chain))}${by}. Use another network, or ask whoever runs this one to let ${host} through`,
    printable(vouchedBy(chain), 100),
  )
}

function selfSigned(host: string, leaf: SeenCertificate): CertificateError {
  return fault('cert-self-signed', `the certificate of ${host} is self-signed (${quoted(leaf.subject)}): nobody vouches for it. ${ADD_IT}`)
}

function unknownIssuer({ host, chain, verdict, knownOrganisations }: RefusedCertificate): CertificateError {
  const last = chain.at(-1)!
  const organisation = last.issuerOrganisation.toLowerCase()
  const isPublic = organisation !== '' && (knownOrganisations.has(organisation) || PUBLIC_INTERMEDIATES.test(organisation))
  if (isPublic && verdict !== 'SELF_SIGNED_CERT_IN_CHAIN') {
    return fault('cert-incomplete', `${host} does not send the certificates between its own and its authority (${quoted(last.issuer)} is missing). Ask whoever runs the server to install the full chain`)
  }
  return fault('cert-unknown-issuer', `the certificate of ${host} was issued by ${quoted(vouchedBy(chain))}, an authority that this computer does not know. ${ADD_IT}`)
}

/** The authority at the end of what was shown; the same for a chain with and without its root. */
export function vouchedBy(chain: readonly SeenCertificate[]): string {
  return chain.at(-1)?.issuer ?? ''
}

function quoted(name: string): string {
  const text = printable(name, 100)
  return text === '' ? 'an authority without a name' : `"${text}"`
}

function day(ms: number): string {
  return Math.abs(ms) <= MAX_DATE_MS ? `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC` : 'an unreadable date'
}

function fault(code: ErrorCode, message: string, issuer = ''): CertificateError {
  return new CertificateError(code, message, undefined, issuer)
}
