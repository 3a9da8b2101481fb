/**
 * The sign-in page over real HTTP: one honest visitor, several dishonest ones.
 */
import http from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { seededRandom } from '../clock.ts'
import { submitForm, visit } from './browser.ts'
import { rawConnect } from './raw-client.ts'
import type { RawClient } from './raw-client.ts'
import { SimControl } from './sim-control.ts'

let control: SimControl
let client: RawClient
let link: string

beforeEach(async () => {
  control = new SimControl({ random: seededRandom(1), networkName: 'Fjord <Labs>' })
  await control.start()
  const result = await rawConnect(control.connect(), control.publicKey)
  if (result.kind !== 'open') throw new Error(result.text)
  client = result.client
  link = (await client.register({ Hostinfo: { Hostname: '<b>thinkpad</b>', OS: 'linux' } })).AuthURL
})

afterEach(async () => {
  client.close()
  await control.stop()
})

async function post(body: string, headers: Record<string, string> = {}): Promise<number> {
  const reply = await fetch(link, { method: 'POST', body, headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers } })
  return reply.status
}

test('a visitor who gives a name and submits the form is let in', async () => {
  const waiting = client.register({ Followup: link })
  const page = await visit(link)
  expect(page.text).toContain('Sign in to Fjord &lt;Labs&gt;')
  const done = await submitForm(page, { name: 'ada' })
  expect(done.text).toContain('You are in')
  expect((await waiting).Login.LoginName).toBe('ada')
})

test('the page holds no scripts, loads nothing, and may not be framed', async () => {
  const page = await visit(link)
  expect(page.text).not.toMatch(/<script|<b>|src=|https?:/)
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(page.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  expect(page.headers.get('cache-control')).toBe('no-store')
  expect(page.headers.get('referrer-policy')).toBe('same-origin')
})

test('a form without its secret, without its cookie, or from another site is refused', async () => {
  const secret = control.pendingSignIns()[0]!.formSecret
  const cookie = `bowline_sign_in=${secret}`
  expect(await post('name=eve', { cookie })).toBe(403)
  expect(await post(`name=eve&secret=${secret}`)).toBe(403)
  expect(await post(`name=eve&secret=${secret}`, { cookie, origin: 'http://evil.example' })).toBe(403)
  expect(await post(`name=eve&secret=${secret}`, { cookie, origin: 'null' })).toBe(403)
  expect(control.pendingSignIns().length).toBe(1)
})

test('a bad name is refused, and a link works once', async () => {
  const page = await visit(link)
  expect((await submitForm(page, { name: '<script>' })).status).toBe(400)
  expect((await submitForm(page, { name: 'ada' })).status).toBe(200)
  expect((await submitForm(page, { name: 'ada' })).status).toBe(404)
  expect((await visit(link)).status).toBe(404)
})

test('the page is not there under another host name', async () => {
  const status = await new Promise<number | undefined>((done) => {
    http.get(link, { headers: { host: 'evil.example' } }, (response) => {
      response.resume()
      done(response.statusCode)
    })
  })
  expect(status).toBe(403)
})
