import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { serve } from '../server/rig.ts'
import type { ServerRig } from '../server/rig.ts'
import { runAt } from './run.ts'

let api: ServerRig
beforeEach(async () => {
  api = await serve()
  api.join()
})
afterEach(() => api.stop())

const run = (...argv: string[]): ReturnType<typeof runAt> => runAt(api.socketPath, argv)

describe('bowline forward', () => {
  test('adds, lists with what went wrong, and removes', async () => {
    expect(await run('forward', 'list')).toEqual({ code: 0, err: '', out: 'There is no forward. Add one, like: bowline forward add 5432 db:5432\n' })
    expect(await run('forward', 'add', '5432', 'n2')).toEqual({ code: 0, err: '', out: '127.0.0.1:5432 leads to n2:5432 from now on (f1).\n' })
    const [number] = api.rig.dataplane.forwards.keys()
    Object.assign(api.rig.dataplane.forwards.get(number!)!, { open: 2, total: 7 })
    api.rig.backend.facts.dataplane.onForwardFailed(number!, 'blocked')
    const at = new Date(api.rig.clock.wallMs()).toISOString().slice(0, 19).replace('T', ' ')
    expect((await run('forward')).out).toBe([
      'ID       HERE            LEADS TO', 'f1  tcp  127.0.0.1:5432  n2:5432   2 open, 7 in all', '',
      `f1: Last failure, ${at}: n2:5432 does not let this device in: its policy forbids it`, '',
    ].join('\n'))
    expect(await run('forward', 'remove', '5432')).toEqual({ code: 0, err: '', out: '127.0.0.1:5432 no longer leads to n2:5432 (f1).\n' })
    expect((await run('forward', 'remove', 'all')).out).toBe('There is no forward.\n')
  })

  test('says when a name is no device, and adds it all the same', async () => {
    expect(await run('forward', 'add', '5432', 'nobody.lab.internal:1', '--udp')).toMatchObject({ code: 0, err: 'No device of this network is called nobody.lab.internal.\n' })
    expect(JSON.parse((await run('forward', '--json')).out)).toMatchObject({ Forwards: [{ Proto: 'udp', State: 'listening' }] })
  })

  test.each([
    [['forward', 'add'], 2, 'Give a port and where it leads'],
    [['forward', 'add', '1', 'a:1', 'b'], 2, 'Give a port and where it leads'],
    [['forward', 'add', '80', 'n2:80'], 1, 'wants admin rights'],
    [['forward', 'add', '0.0.0.0:8080', 'n2:80'], 1, 'this computer alone'],
    [['forward', 'add', '8080', 'n2:eighty'], 1, 'is no place to lead to'],
    [['forward', 'remove'], 2, 'Say which one'],
    [['forward', 'remove', 'f7'], 1, 'There is no forward "f7"'],
    [['forward', 'lsit'], 2, 'list'],
  ])('%j ends with %i and a sentence', async (argv, code, sentence) => {
    const ended = await run(...argv)
    expect(ended.code).toBe(code)
    expect(ended.err).toContain(sentence)
  })
})

describe('bowline proxy', () => {
  test('shows the mode, the addresses and lines to copy', async () => {
    api.rig.backend.proxies.open({ socks5: undefined, http: undefined, isDefault: true })
    const { out } = await run('proxy')
    for (const part of ['Host *.lab.internal\n', 'apps only', '127.0.0.1:1055', 'http://127.0.0.1:1055/proxy.pac', 'No admin rights are needed.', 'bowline machine whole', 'ProxyCommand nc -X 5 -x 127.0.0.1:1055 %h %p', 'socks5h://127.0.0.1:1055']) expect(out).toContain(part)
    expect((await run('proxy', '--shell')).out).toBe('export http_proxy=http://127.0.0.1:1055 https_proxy=http://127.0.0.1:1055\nexport ALL_PROXY=socks5h://127.0.0.1:1055\nexport no_proxy=localhost,127.0.0.1,::1\n')
    expect(JSON.parse((await run('proxy', '--json')).out)).toMatchObject({ Mode: 'apps', Socks5: '127.0.0.1:1055', Http: '127.0.0.1:1055' })
  })

  test('without a proxy says so', async () => {
    expect((await run('proxy')).out).toContain('Everything is switched off')
    expect(await run('proxy', '--shell')).toEqual({ code: 1, out: '', err: 'bowline: The proxies are switched off.\n' })
  })

  test('with the HTTP proxy alone names no SOCKS5 proxy', async () => {
    api.rig.backend.proxies.open({ socks5: undefined, http: { ip: '127.0.0.1', port: 2000 }, isDefault: false })
    const { out } = await run('proxy')
    expect(out).toContain('nc -X connect -x 127.0.0.1:2000')
    expect(out).not.toContain('socks5h')
  })
})
