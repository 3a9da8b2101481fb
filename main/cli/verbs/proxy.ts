/**
 * bowline proxy: how programs of this computer get into the network, as lines to copy.
 */
import type { ProxiesPage } from '../../localapi/forwards.ts'
import { CliError, EXIT } from '../exit.ts'
import { printable, styled, table, wrap } from '../text.ts'
import type { Context, Verb } from '../verb.ts'
import { printJson } from '../verb.ts'
import { noWords } from '../words-given.ts'

export const proxy: Verb = {
  name: 'proxy',
  group: 'Use the network',
  summary: 'how programs get into the network: proxies, their PAC file, lines to copy',
  usage: '[--shell]',
  help: 'The proxies know the names of the network and let everything else go as it would without them, or through the exit node when one is chosen. They are at ports of this computer: its other users can use them too. bowline daemon has flags to move them or to switch them off.',
  examples: [
    ['eval "$(bowline proxy --shell)"', 'programs of this shell use the network'],
    ['bowline proxy --json', 'addresses for a script'],
  ],
  json: '{"Mode": "apps" | "whole-computer", "Words": {"Mode", "Upgrade"}, "Socks5", "Http", "PacUrl", "Why"}',
  flags: { shell: { kind: 'bool', help: 'print only what a shell evaluates' } },
  async run({ api, args, json, terminal }: Context) {
    noWords('proxy', args)
    const [page, current] = await Promise.all([api.call('proxies'), api.call('status', { query: { peers: 'false' } })])
    const lines = shellLines(page)
    if (json) printJson(terminal, page)
    else if (!args.bool('shell')) terminal.out(pageText(page, current.CurrentTailnet?.MagicDNSSuffix ?? '', terminal.columns ?? 90))
    else if (lines.length > 0) terminal.out(`${lines.join('\n')}\n`)
    else throw new CliError(EXIT.failed, 'no-proxy', 'The proxies are switched off.')
    return EXIT.ok
  },
}

/** Environment for programs; addresses are the engine's own, checked so that nothing else is ever evaluated. */
function shellLines({ Socks5, Http }: ProxiesPage): string[] {
  const plain = (at: string | undefined): string | undefined => (at !== undefined && /^[0-9a-f.:[\]]+:\d+$/.test(at) ? at : undefined)
  const [socks5, http] = [plain(Socks5), plain(Http)]
  const all = socks5 !== undefined ? `socks5h://${socks5}` : http === undefined ? undefined : `http://${http}`
  return [
    ...(http === undefined ? [] : [`export http_proxy=http://${http} https_proxy=http://${http}`]),
    ...(all === undefined ? [] : [`export ALL_PROXY=${all}`, 'export no_proxy=localhost,127.0.0.1,::1']),
  ]
}

function pageText(page: ProxiesPage, suffix: string, columns: number): string {
  const { Mode, Words, Socks5, Http, PacUrl, Why } = page
  const facts = [
    ['Mode', Mode === 'apps' ? 'apps only' : 'whole computer'],
    ['SOCKS5 proxy', Socks5 ?? 'off'],
    ['HTTP proxy', Http ?? 'off'],
    ['PAC file', PacUrl ?? 'none'],
  ]
  const parts = [
    table(facts),
    ...[Words.Mode, Words.Upgrade, ...(Why === undefined ? [] : [Why])].map((text) => wrap(printable(text), Math.min(columns, 100))),
    ...usesOf(page, suffix).map(([title, line]) => `${styled('strong', title)}\n${line.split('\n').map((each) => `  ${each}`).join('\n')}`),
  ]
  return `${parts.join('\n\n')}\n`
}

/** `suffix`: of the network's names; "" while it is not known. */
function usesOf(page: ProxiesPage, suffix: string): [string, string][] {
  const { Socks5, Http, PacUrl } = page
  const shell = shellLines(page)
  const via = Socks5 !== undefined ? `-X 5 -x ${Socks5}` : `-X connect -x ${Http ?? ''}`
  const git = Socks5 !== undefined ? `socks5h://${Socks5}` : `http://${Http ?? ''}`
  if (shell.length === 0) return [['Everything is switched off', 'bowline daemon without --socks5-server=off serves them; forwards work without: bowline forward']]
  return [
    ...(PacUrl === undefined ? [] : [['Browsers and system settings: automatic proxy configuration', PacUrl], ['Chromium, a profile of its own', `chromium --user-data-dir=$HOME/.bowline-browser --proxy-pac-url=${PacUrl}`]] as [string, string][]),
    ['A shell, for the programs it starts', shell.join('\n')],
    ['ssh, in ~/.ssh/config', `Host *.${printable(suffix) || 'NETWORK'}\n  ProxyCommand nc ${via} %h %p`],
    ['git', `git config --global http.proxy ${git}`],
    ['curl', `curl --proxy ${git} http://DEVICE/`],
    ['A program that knows nothing of proxies', 'bowline forward add 5432 db:5432'],
  ]
}
