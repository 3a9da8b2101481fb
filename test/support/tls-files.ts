/**
 * The certificates of test/vectors/tls, as PEM text.
 */
import { readFileSync } from 'node:fs'

/** A file of the folder, such as "server.crt". */
export function tlsFile(name: string): string {
  return readFileSync(new URL(`../vectors/tls/${name}`, import.meta.url), 'utf8')
}

/** Certificate and key of one name, for a TLS server. `chain`: more certificates to send with it. */
export function tlsPair(name: string, chain: readonly string[] = []): { cert: string; key: string } {
  return { cert: [tlsFile(`${name}.crt`), ...chain.map((more) => tlsFile(`${more}.crt`))].join(''), key: tlsFile(`${name}.key`) }
}
