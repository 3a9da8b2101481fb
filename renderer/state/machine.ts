/**
 * The whole computer on the network, in words: its state, why it cannot be, what is not as it should be, and its facts. Pure.
 */
import type { DnsPage, MachinePage, MachineWhy } from '../../preload/contract.ts'
import { safeText, sentence } from '../../main/words/format.ts'
import { isWord, t } from '../../main/words/words.ts'

/** A reason in the person's language where its code is known, else in the engine's words. */
export function whyWords({ Code, Text }: MachineWhy): string {
  const id = `machine.why.${Code}`
  return isWord(id) ? t(id) : sentence(Text)
}

/** How it stands, as one line below the choice. */
export function machineWords(page: MachinePage): string {
  if (page.State === 'off') return page.Mode === 'apps' ? t('machine.mode.apps.means') : t('machine.state.off')
  const why = page.Why && (page.State === 'failed' || page.State === 'holding') ? ` ${whyWords(page.Why)}` : ''
  return `${t(`machine.state.${page.State}`)}${why}`
}

/** Whether something of the computer is ours now. */
export const isWhole = (page: MachinePage | undefined): boolean => page !== undefined && page.Mode === 'whole' && page.State !== 'off' && page.State !== 'failed'

/** Traffic is kept in rather than let out, although nobody is there to carry it. */
export const keepsIn = (page: MachinePage | undefined): boolean => isWhole(page) && (page!.State === 'holding' || page!.Internet !== 'direct')

const PROGRAMS: Readonly<Record<string, string>> = { 'systemd-resolved': 'systemd-resolved', 'network-manager': 'NetworkManager', resolvconf: 'resolvconf', openresolv: 'openresolv' }

function namesWords({ Through, All }: Pick<MachinePage['Names'], 'Through' | 'All'>): string {
  if (Through === 'none') return t('machine.fact.names.none')
  const who = PROGRAMS[Through] ?? t(Through === 'file' ? 'machine.through.file' : 'machine.through.system')
  return t(All ? 'machine.fact.names.all' : 'machine.fact.names.some', { who })
}

/** Whom programs of the system ask for names, and who was asked before. */
export function systemNamesWords(names: NonNullable<DnsPage['SystemNames']>): string {
  if (names.Through === 'none') return t('machine.names.untouched')
  const own = names.Own.length === 0 ? '' : ` ${t('machine.names.own', { list: names.Own.map((one) => safeText(one, 60)).join(', ') })}`
  return `${sentence(namesWords(names))}${own}`
}

function firewallWords(firewall: MachinePage['Firewall']): string {
  return firewall === 'off' || firewall === 'none' ? t(`machine.fact.firewall.${firewall}`) : firewall
}

/** Label and value, in their order; while the computer is on the network. */
export function machineFacts(page: MachinePage): readonly { readonly label: string; readonly value: string }[] {
  if (!isWhole(page)) return []
  return [
    { label: t('machine.fact.device'), value: safeText(page.Device, 40) },
    { label: t('machine.fact.addresses'), value: page.Addresses.map((one) => safeText(one.replace(/\/(32|128)$/, ''), 60)).join(', ') },
    { label: t('machine.fact.internet'), value: t(`machine.fact.internet.${page.Internet}`) },
    { label: t('machine.fact.names'), value: namesWords(page.Names) },
    { label: t('machine.fact.firewall'), value: firewallWords(page.Firewall) },
    { label: t('machine.fact.forwarding'), value: t(`machine.fact.forwarding.${page.Forwarding.By}`) },
  ].filter(({ value }) => value !== '')
}

/** Reasons that go once the service of the computer is there. */
const SERVICE_HELPS: readonly string[] = ['no-rights', 'no-service', 'no-tun']

export const serviceHelps = ({ Code }: MachineWhy): boolean => SERVICE_HELPS.includes(Code)
