import { expect, test } from 'vitest'
import fc from 'fast-check'
import { certificateFault, vouchedBy, type RefusedCertificate, type SeenCertificate } from '../../../../main/engine/core/trust/certificate-fault.ts'

const leaf: SeenCertificate = {
  subject: 'hs.example.com', issuer: 'R11', issuerOrganisation: '', names: ['hs.example.com'], validFromMs: Date.UTC(2026, 0, 1), validToMs: Date.UTC(2026, 5, 1),
}
const wallMs = Date.UTC(2026, 2, 1)

function told(verdict: string, certificate: Partial<SeenCertificate> = {}, more: Partial<RefusedCertificate> = {}): { code: string; message: string } {
  const { code, message } = certificateFault({
    host: 'hs.example.com', verdict, chain: [{ ...leaf, ...certificate }], wallMs, vouchedBefore: undefined, knownOrganisations: new Set(['known trust inc']), ...more,
  })
  return { code, message }
}

test('a certificate out of its time is told with its date and with what this clock says', () => {
  expect(told('CERT_HAS_EXPIRED', { validToMs: Date.UTC(2026, 1, 1) })).toEqual({
    code: 'cert-expired',
    message: "the certificate of hs.example.com expired on 2026-02-01 00:00 UTC (this computer's clock says 2026-03-01 00:00 UTC). Ask whoever runs the server to renew it",
  })
  expect(told('CERT_NOT_YET_VALID', { validFromMs: Date.UTC(2026, 5, 1) }).message).toMatch(/good only from 2026-06-01.*clock says 2026-03-01.*Set the clock/)
  expect(certificateFault({ host: 'h', verdict: 'CERT_HAS_EXPIRED', chain: [leaf], wallMs, vouchedBefore: undefined, knownOrganisations: new Set() }).validity).toEqual({ fromMs: leaf.validFromMs, toMs: leaf.validToMs })
})

test('an expired authority is told as the authority', () => {
  const chain = [leaf, { ...leaf, subject: 'Middle CA', issuer: 'Root', validToMs: Date.UTC(2026, 1, 1) }]
  expect(told('CERT_HAS_EXPIRED', {}, { chain }).message).toContain('the certificate of "Middle CA", which vouches for hs.example.com, expired on 2026-02-01')
})

test('a certificate for another name names the names that it is for', () => {
  expect(told('ERR_TLS_CERT_ALTNAME_INVALID', { names: ['a.example', 'b.example', 'c.example', 'd.example'] })).toEqual({
    code: 'cert-wrong-name',
    message: 'the certificate at hs.example.com is for another name: a.example, b.example, c.example, … (issued by "R11"). Use the name that the server is known by, or ask whoever runs it',
  })
})

test('an unknown authority and a self-signed certificate are named, with how to trust them', () => {
  expect(told('UNABLE_TO_VERIFY_LEAF_SIGNATURE', { issuer: 'Home Lab Root' })).toEqual({
    code: 'cert-unknown-issuer',
    message: 'the certificate of hs.example.com was issued by "Home Lab Root", an authority that this computer does not know. If it is your server\'s own, add it: bowline trust add FILE',
  })
  expect(told('DEPTH_ZERO_SELF_SIGNED_CERT', { subject: 'nas', issuer: 'nas' })).toMatchObject({ code: 'cert-self-signed', message: expect.stringContaining('is self-signed ("nas")') as unknown })
})

test.each([
  ['FG100E4Q17', 'Fortinet', 'Fortinet'], ['Zscaler Intermediate Root CA', '', 'Zscaler'], ['PAN-FW01', '', 'Palo Alto'], ['mitmproxy', '', 'a TLS proxy'], ['Kaspersky Anti-Virus Personal Root', '', 'virus scanner'],
])('the box that made a certificate is told by its name: %s', (issuer, issuerOrganisation, maker) => {
  const { code, message } = told('SELF_SIGNED_CERT_IN_CHAIN', { issuer, issuerOrganisation })
  expect(code).toBe('cert-intercepted')
  expect(message).toContain(`your network intercepts TLS: the certificate shown for hs.example.com was made by "${issuer}"`)
  expect(message).toContain(maker)
})

test('a university of San Francisco is no Cisco', () => {
  expect(told('SELF_SIGNED_CERT_IN_CHAIN', { issuer: 'San Francisco Home CA' }).code).toBe('cert-unknown-issuer')
})

test('another issuer than before is an interception, the same one is not', () => {
  const now = { issuer: 'Corp Inspection CA' }
  expect(told('SELF_SIGNED_CERT_IN_CHAIN', now, { vouchedBefore: 'ISRG Root X1' })).toMatchObject({ code: 'cert-intercepted', message: expect.stringContaining('where "ISRG Root X1" vouched for it before') as unknown })
  expect(told('SELF_SIGNED_CERT_IN_CHAIN', now, { vouchedBefore: 'Corp Inspection CA' }).code).toBe('cert-unknown-issuer')
})

test('a private authority for a host of a public service is an interception', () => {
  expect(told('UNABLE_TO_GET_ISSUER_CERT_LOCALLY', { issuer: 'School CA' }, { host: 'controlplane.tailscale.com' }).code).toBe('cert-intercepted')
})

test('a chain without its middle is the fault of the server, when a public authority stands behind it', () => {
  for (const issuerOrganisation of ['Known Trust Inc', "Let's Encrypt"]) {
    expect(told('UNABLE_TO_VERIFY_LEAF_SIGNATURE', { issuer: 'R11', issuerOrganisation })).toMatchObject({ code: 'cert-incomplete', message: expect.stringContaining('"R11" is missing') as unknown })
  }
})

test('the last of a chain tells who vouches, with and without the root in it', () => {
  const root = { ...leaf, subject: 'Root', issuer: 'Root' }
  expect(vouchedBy([{ ...leaf, issuer: 'Root' }])).toBe('Root')
  expect(vouchedBy([{ ...leaf, issuer: 'Root' }, root])).toBe('Root')
})

test('whatever a certificate says, the sentence is one printable line', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), fc.double(), fc.constantFrom('CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'x\n\u001b'), (name, issuer, atMs, verdict) => {
    const certificate = { subject: name, issuer, issuerOrganisation: name, names: [name, issuer], validToMs: atMs }
    // eslint-disable-next-line no-control-regex
    expect(told(verdict, certificate).message).not.toMatch(/[\u0000-\u001f\u007f\u202e]/)
  }))
})
