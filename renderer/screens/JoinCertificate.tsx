/**
 * A certificate that this computer does not trust, with what a person needs to decide: for this server alone, or not at all.
 */
import type { ReactNode } from 'react'
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { PreflightPage } from '../../preload/contract.ts'
import { dateWords, grouped, stepOf } from '../state/join.ts'
import { serverName } from '../state/steps.ts'
import { useApi } from '../ui/ApiContext.tsx'
import { AskWords } from '../ui/AskWords.tsx'
import { useAsk } from '../ui/use-ask.ts'

export function JoinCertificate({ page, onTrusted }: { page: PreflightPage; onTrusted: () => void }): ReactNode {
  const api = useApi()
  const ask = useAsk()
  // An authority stays when the server renews its own certificate.
  const shown = page.Shown?.findLast((one) => one.IsAuthority) ?? page.Shown?.[0]
  if (!shown || stepOf(page, 'certificate')?.Fix?.Kind !== 'trust-certificate') return null
  const trust = async (): Promise<void> => {
    if (await ask.run(() => api.call('trustShown', { server: page.Server, fingerprint: shown.Fingerprint }))) onTrusted()
  }
  return (
    <section className="certificate" aria-labelledby="certificate-title">
      <h2 id="certificate-title">{shown !== page.Shown?.[0] ? t('join.certificate.authority') : t('join.certificate.own')}</h2>
      <dl className="facts">
        <div><dt>{t('join.certificate.subject')}</dt><dd><bdi>{safeText(shown.Subject, 120)}</bdi></dd></div>
        {shown.Issuer !== shown.Subject && <div><dt>{t('join.certificate.issuer')}</dt><dd><bdi>{safeText(shown.Issuer, 120)}</bdi></dd></div>}
        <div><dt>{t('join.certificate.dates')}</dt><dd>{t('join.certificate.fromTo', { from: dateWords(shown.NotBefore), to: dateWords(shown.NotAfter) })}</dd></div>
        <div><dt>SHA-256</dt><dd className="mono selectable">{grouped(shown.Fingerprint)}</dd></div>
      </dl>
      <p className="small t2">{t('join.certificate.compare', { server: serverName(page.Server) })}</p>
      <div className="buttons"><button type="button" className="button" aria-busy={ask.wait !== 'no'} onClick={() => void trust()}>{t('join.certificate.trust')}</button></div>
      <AskWords ask={ask} />
    </section>
  )
}
