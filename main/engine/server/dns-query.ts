/**
 * dns-query: a name and a type in, the DNS message and who would be asked for it out. bowline/dns and bowline/dns-lookup:
 * the same with who answered, by what way and in what time.
 */
import { QUERY_TYPES, TYPE } from '../core/dns/message.ts'
import type { Call } from './handlers.ts'
import { json, text } from './reply.ts'
import type { Reply } from './reply.ts'

export async function dnsQuery({ backend, query }: Call): Promise<Reply> {
  const asked = (query.get('type') ?? '').trim().toUpperCase()
  const type = asked === '' ? TYPE.A : Object.hasOwn(TYPE, asked) ? TYPE[asked as keyof typeof TYPE] : undefined
  if (type === undefined) return text(400, `unknown DNS message type: ${asked.slice(0, 64)}`)
  const { bytes, resolvers } = await backend.dns.ask(query.get('name') ?? '', type)
  return json({ Bytes: Buffer.from(bytes).toString('base64'), Resolvers: resolvers })
}

export async function dnsLookup({ backend, query }: Call): Promise<Reply> {
  const word = (query.get('type') ?? '').trim().toUpperCase() || 'A'
  const type = Object.hasOwn(QUERY_TYPES, word) ? QUERY_TYPES[word] : undefined
  if (type === undefined) return text(400, `unknown DNS message type: ${word.slice(0, 64)}`)
  const name = query.get('name') ?? ''
  if (name === '') return text(400, "missing 'name' parameter")
  return json(await backend.dnsPages.lookup(name, type, word))
}
