/**
 * Answers of the LocalAPI as values, and how they go out: the stock daemon's headers, its line ends, its texts.
 */
import type { ServerResponse } from 'node:http'
import type { ErrorCode } from '../base/errors.ts'
import { EngineError, errorText } from '../base/errors.ts'
import { CAPABILITY_VERSION } from '../core/tailcfg/types.ts'

export type Reply =
  | { readonly kind: 'json'; readonly status: number; readonly value: unknown; readonly indent: boolean; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'text'; readonly status: number; readonly text: string }
  | { readonly kind: 'empty'; readonly status: number }
  /** The handler writes the response itself. */
  | { readonly kind: 'streams' }

export const json = (value: unknown, status = 200): Reply => ({ kind: 'json', status, value, indent: false })
/** With tabs, as the stock daemon indents what people read. */
export const jsonIndented = (value: unknown): Reply => ({ kind: 'json', status: 200, value, indent: true })
export const text = (status: number, line: string): Reply => ({ kind: 'text', status, text: line })
export const empty = (status: number): Reply => ({ kind: 'empty', status })

const STATUS: Partial<Readonly<Record<ErrorCode, number>>> = {
  'access-denied': 403,
  'bad-argument': 400,
  'bad-prefs': 400,
  'managed-by-policy': 403,
  'no-netmap': 503,
  'no-space': 507,
  'no-such-peer': 404,
  'not-found': 404,
  'not-supported': 501,
  timeout: 504,
}

/** What a thrown error is answered with: its text, never a stack. */
export function errorReply(error: unknown): Reply {
  if (error instanceof EngineError) return text(STATUS[error.code] ?? 500, error.message)
  return text(500, errorText(error))
}

/** Headers of every answer. */
export function setCommonHeaders(response: ServerResponse, version: string): void {
  response.setHeader('Tailscale-Version', version)
  response.setHeader('Tailscale-Cap', String(CAPABILITY_VERSION))
  response.setHeader('Content-Security-Policy', `default-src 'none'; frame-ancestors 'none'; script-src 'none'; script-src-elem 'none'; script-src-attr 'none'`)
  response.setHeader('X-Frame-Options', 'DENY')
  response.setHeader('X-Content-Type-Options', 'nosniff')
}

/** Writes a reply whole. */
export function send(response: ServerResponse, reply: Reply, headOnly: boolean): void {
  if (reply.kind === 'streams' || response.writableEnded) return
  if (response.headersSent) {
    response.end()
    return
  }
  if (reply.kind === 'empty') {
    response.writeHead(reply.status).end()
    return
  }
  const isJson = reply.kind === 'json'
  const body = isJson ? `${JSON.stringify(reply.value ?? null, undefined, reply.indent ? '\t' : undefined)}\n` : reply.text.endsWith('\n') ? reply.text : `${reply.text}\n`
  response.writeHead(reply.status, {
    'Content-Type': isJson ? 'application/json' : 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    ...(isJson ? reply.headers : undefined),
  })
  response.end(headOnly ? undefined : body)
}
