import { expect, test } from 'vitest'
import { hostOf, isOpenableUrl, isOwnPage } from '../../../../main/engine/core/session/auth-url.ts'

test.each([
  ['https://hs.example/register/x', 'https://hs.example', true],
  ['https://HS.example.:8443/register/x', 'https://hs.example', true],
  ['https://login.hs.example/x', 'https://hs.example', true],
  ['https://hs.example/x', 'https://control.hs.example', true],
  ['https://login.tailscale.com/a/1', 'https://controlplane.tailscale.com', true],
  ['http://localhost:8080/x', 'http://127.0.0.1:8080', true],
  ['http://[::1]:8080/x', 'http://localhost:8080', true],
  ['https://evil.example/x', 'https://hs.example', false],
  ['https://hs.example.evil.example/', 'https://hs.example', false],
  ['https://evilhs.example/', 'https://hs.example', false],
  ['https://hs.example@evil.example/', 'https://hs.example', false],
  ['https://evil.example@hs.example/', 'https://hs.example', false],
  ['https://tailscale.com.evil.example/', 'https://controlplane.tailscale.com', false],
  ['https://10.0.0.1/', 'https://10.0.0.2', false],
  ['ftp://hs.example/', 'https://hs.example', false],
])('%s is a page of %s: %s', (page, control, own) => {
  expect(isOwnPage(page, control)).toBe(own)
})

test('the host of an address is read as a browser reads it', () => {
  for (const url of ['https://a.example:8443/x?y@z#w', 'https://u:p@h.example/', 'http://[2001:db8::1]:80/', 'https://A.Example./']) {
    expect(hostOf(url)).toBe(new URL(url).hostname.replace(/\.$/, ''))
  }
})

test.each(['https://a.hs.example/\u001b[2J', 'https://\u001b]0;x\u0007.hs.example/', 'https://hs\u202eelpmaxe/', 'https://a\u200b.hs.example/', 'https://hs.example/\n', 'javascript:alert(1)', 'file:///etc/passwd', 'data:text/html,x', '\\\\host\\share', '//hs.example/', '--help', 'https:hs.example', 'https:///hs.example', 'https://hs.example\\@evil.example/', ' https://hs.example/', 'https://'])(
  '%j is never shown as a link to open', (url) => {
    expect(isOpenableUrl(url, 'http://hs.example')).toBe(false)
  },
)
