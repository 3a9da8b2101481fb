/**
 * Links that control asks a person to open: https, or http when control itself is reached by plain http; a sign-in page
 * must besides be the server's own, so that nobody is led to give their password elsewhere.
 *
 * A server's own page is on its host, on a host under it, or beside it where the service is known to keep it there.
 */
import { isLoopbackIp } from '../../base/ip.ts'

const MAX_LENGTH = 8192
/** What is not seen, or makes the rest be seen differently: controls, joiners, directions. */
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u0020\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]/
/** Services whose sign-in page is on another host than control. */
const FAMILIES: readonly string[] = ['tailscale.com']

/** Whether the link may be shown and opened. */
export function isOpenableUrl(url: string, controlUrl: string): boolean {
  if (url.length > MAX_LENGTH || UNSEEN.test(url) || !/^https?:\/\/[^\s/\\]+(?:[/?#][\x21-\x7e]*)?$/i.test(url)) return false
  return /^https:/i.test(url) || /^http:/i.test(controlUrl)
}

/** Whether an openable link leads to the server's own sign-in page. */
export function isOwnPage(url: string, controlUrl: string): boolean {
  const page = hostOf(url)
  const control = hostOf(controlUrl)
  // A name in front of an "@" is a user name, which only serves to deceive.
  if (page === '' || control === '' || /^https?:\/\/[^/?#]*@/i.test(url)) return false
  if (page === control || page.endsWith(`.${control}`) || control.endsWith(`.${page}`)) return true
  if (isLoopback(page) && isLoopback(control)) return true
  return FAMILIES.some((family) => page.endsWith(`.${family}`) && control.endsWith(`.${family}`))
}

/** The host of a web address in lower case, "" when there is none to be seen. */
export function hostOf(url: string): string {
  const authority = /^https?:\/\/([^/?#\\]+)/i.exec(url)?.[1] ?? ''
  const host = /^(?:.*@)?(\[[^\]]*\]|[^:]*)(?::\d*)?$/.exec(authority)?.[1] ?? ''
  return host.replace(/\.$/, '').toLowerCase()
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || isLoopbackIp(host.replace(/^\[|\]$/g, ''))
}
