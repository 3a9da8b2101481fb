import { afterEach, expect, test } from 'vitest'
import { tlsFile } from '../../support/tls-files.ts'
import { serve, type ServerRig } from './rig.ts'

let api: ServerRig
afterEach(() => api.stop())

const url = 'bowline/trust?server=https://hs.lab.internal'

test('a certificate is added, listed and removed for a server', async () => {
  api = await serve()
  expect((await api.call('GET', url)).json()).toEqual({ Server: 'https://hs.lab.internal', Certificates: [] })
  const added = (await api.call('PUT', url, { body: { PEM: tlsFile('home-ca.crt') } })).json() as { Certificates: { Fingerprint: string }[] }
  expect(added).toMatchObject({ Server: 'https://hs.lab.internal', Certificates: [{ Subject: 'Home Lab Root', Issuer: 'Home Lab Root', IsAuthority: true, NotAfter: expect.stringMatching(/^\d{4}-.*Z$/) as unknown }] })
  expect((await api.call('GET', url)).json()).toEqual(added)
  expect((await api.call('DELETE', `${url}&fingerprint=${added.Certificates[0]!.Fingerprint}`)).json()).toMatchObject({ Subject: 'Home Lab Root' })
  expect((await api.call('DELETE', `${url}&fingerprint=${added.Certificates[0]!.Fingerprint}`)).status).toBe(404)
})

test('what is no certificate is refused with the reason', async () => {
  api = await serve()
  for (const body of [{}, [], { PEM: 5 }, { PEM: 'rubbish' }, undefined]) expect((await api.call('PUT', url, { body })).status, JSON.stringify(body)).toBe(400)
  expect((await api.call('GET', 'bowline/trust?server=rubbish')).status).toBe(400)
})

test('who may only read may look, and change nothing', async () => {
  api = await serve({ peerCredentials: () => ({ pid: 1, uid: 12_345, gid: 12_345 }) })
  expect((await api.call('GET', url)).status).toBe(200)
  expect((await api.call('PUT', url, { body: { PEM: tlsFile('home-ca.crt') } })).status).toBe(403)
  expect((await api.call('DELETE', `${url}&fingerprint=0`)).status).toBe(403)
})
