/**
 * Links that open the app: `bowline://join…`, from a web page, a mail or the command line. Whoever made one is a stranger.
 *
 * Passed on is only what is short, printable ASCII, of exactly our scheme and host, and without user or password; what it means is for
 * the join screen to read, and nothing happens until the person says yes. Several at once count as one: the first. Pure.
 */

export const LINK_SCHEME = 'bowline'
/** As long as the longest link that the join screen reads. */
const LIMIT = 6000
/** A person opens no links faster than this. */
const LEAST_GAP_MS = 2000

/** The link in normal form when it may be shown to the person. */
export function joinLink(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.length > LIMIT || !/^bowline:\/\/join(?=[/?#]|$)[\x21-\x7e]*$/i.test(text)) return undefined
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return undefined
  }
  if (url.protocol !== `${LINK_SCHEME}:` || url.hostname !== 'join' || url.port !== '' || url.username !== '' || url.password !== '') return undefined
  return url.href.length > LIMIT ? undefined : url.href
}

/** The one link among a program's words; undefined when there is none, or more than one. */
export function linkAmong(words: readonly string[]): string | undefined {
  const links = words.filter((word) => word.toLowerCase().startsWith(`${LINK_SCHEME}:`))
  return links.length === 1 ? joinLink(links[0]) : undefined
}

/** Lets one link through at a time. */
export class LinkGate {
  #lastMs = Number.NEGATIVE_INFINITY

  /** The link to show; undefined when it is none, or too soon after the last. */
  admit(text: unknown, nowMs: number): string | undefined {
    const link = joinLink(text)
    if (link === undefined || nowMs - this.#lastMs < LEAST_GAP_MS) return undefined
    this.#lastMs = nowMs
    return link
  }
}
