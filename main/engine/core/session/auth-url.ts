/**
 * Links that control asks a person to open: https, or http when control itself is reached by plain http.
 */
const MAX_LENGTH = 8192

/** Whether the link may be shown and opened. */
export function isOpenableUrl(url: string, controlUrl: string): boolean {
  if (url.length > MAX_LENGTH || !/^https?:\/\/[^\s/\\]+(?:[/?#][\x21-\x7e]*)?$/i.test(url)) return false
  return /^https:/i.test(url) || /^http:/i.test(controlUrl)
}
