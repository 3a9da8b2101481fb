/**
 * The path drawn at full width: the used way solid in its colour, the failed direct way dotted with a cross.
 */
import type { ReactNode } from 'react'
import type { PathKind } from '../../main/words/states.ts'
import { t } from '../../main/words/words.ts'

/** `tried`: addresses without a reply, when that is known. */
export function PathDrawing({ kind, via, name, tried }: { kind: PathKind; via: string; name: string; tried: number | undefined }): ReactNode {
  if (kind === 'idle' || kind === 'offline' || kind === 'unknown' || kind === 'self') return null
  const relayed = kind === 'relay' || kind === 'trying' || kind === 'peer-relay'
  return (
    <figure className={`drawing drawing-${kind}`} aria-hidden="true" key={kind}>
      <svg viewBox={relayed ? '0 0 560 96' : '0 26 560 50'} width="100%" height={relayed ? 96 : 50} fill="none" strokeLinecap="round">
        {relayed ? (
          <>
            <path className="used" d="M44 60C150 60 180 24 262 24M298 24C380 24 410 60 516 60" strokeWidth="2" />
            {kind === 'peer-relay' ? <circle cx="280" cy="24" r="8" className="post" /> : <rect className="used" x="270" y="14" width="20" height="20" rx="4" strokeWidth="2" />}
            <path className="failed" d="M50 60H510" strokeWidth="2" strokeDasharray="1 6" />
            {kind !== 'trying' && <path className="cross" d="M273 53L287 67M287 53L273 67" strokeWidth="2" />}
          </>
        ) : (
          <path className="used" d="M44 60H516" strokeWidth="2.5" />
        )}
        <circle cx="40" cy="60" r="5" className="post" />
        <circle cx="520" cy="60" r="5" className="post" />
        <text x="40" y="44" textAnchor="middle">{t('device.you')}</text>
        <text x="520" y="44" textAnchor="middle">{name.length > 18 ? `${name.slice(0, 17)}…` : name}</text>
        {relayed && <text x="300" y="14">{via}</text>}
        {(kind === 'relay' || kind === 'peer-relay') && <text x="280" y="88" textAnchor="middle" className="quiet">{t('device.draw.tried', { n: tried ?? 0 })}</text>}
        {kind === 'trying' && <text x="280" y="88" textAnchor="middle" className="quiet">{t('device.draw.trying')}</text>}
      </svg>
    </figure>
  )
}
