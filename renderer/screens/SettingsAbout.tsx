/**
 * Which versions these are, and under which licences: ours, and those of other people's software inside.
 */
import { useDeferredValue, useEffect, useState, type ReactNode } from 'react'
import { safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import { foundPackages, parseNotices, type NoticesFile, type Package } from '../state/notices-file.ts'
import { useSnapshot } from '../state/store.ts'
import { CopyButton } from '../ui/CopyButton.tsx'
import { Row } from './SettingsRow.tsx'

export function VersionsRow(): ReactNode {
  const app = useSnapshot((s) => s.app)
  const engine = useSnapshot((s) => s.status?.Version ?? '')
  const lines = [
    [t('settings.about.window'), `${app.version}${app.host === 'web' ? ` (${t('settings.about.browser')})` : ''}`],
    [t('settings.about.engine'), safeText(engine, 60) || t('settings.unknown')],
    [t('settings.about.system'), safeText(app.platform, 30)],
  ] as const
  return (
    <Row id="versions" below={<dl className="facts">{lines.map(([name, value]) => <div key={name}><dt>{name}</dt><dd className="selectable num">{value}</dd></div>)}</dl>}>
      <CopyButton className="button" text={['Bowline', ...lines.map(([name, value]) => `${name}: ${value}`)].join('\n')}>{t('settings.about.copy')}</CopyButton>
    </Row>
  )
}

export function LicenceRow(): ReactNode {
  const text = useText(() => import('../../LICENSE?raw'))
  return <Row id="licence" below={<details className="licence"><summary>{t('settings.about.read')}</summary><pre className="well selectable">{text ?? t('settings.loading')}</pre></details>} />
}

export function LicencesRow(): ReactNode {
  const text = useText(() => import('../../build/THIRD-PARTY-NOTICES.txt?raw'))
  const [file, setFile] = useState<NoticesFile | undefined>(undefined)
  const [typed, setTyped] = useState('')
  const wanted = useDeferredValue(typed)
  useEffect(() => {
    if (text !== undefined) setFile(parseNotices(text))
  }, [text])
  const found = file ? foundPackages(file, wanted) : []
  return (
    <Row id="licences" below={file === undefined ? <p className="t2">{t('settings.loading')}</p> : (
      <>
        <div className="licences-find">
          <input className="field" type="search" value={typed} onChange={(event) => setTyped(event.target.value)} aria-label={t('settings.about.find')} placeholder={t('settings.about.find')} spellCheck={false} />
          <span className="small t3" role="status">{t('settings.about.count', { n: found.length })}</span>
        </div>
        <ul className="plain lines licences">{found.map((one) => <Software key={`${one.name} ${one.version}`} one={one} texts={file.texts} />)}</ul>
      </>
    )} />
  )
}

function Software({ one, texts }: { one: Package; texts: NoticesFile['texts'] }): ReactNode {
  const [open, setOpen] = useState(false)
  return (
    <li>
      <details className="licence" onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary><span className="strong-2">{one.name}</span> <span className="num t2">{one.version}</span> <span className="t3">{one.licence}</span></summary>
        {open && <p className="small t2 selectable">{one.source}</p>}
        {open && one.texts.map((number) => <pre key={number} className="well selectable">{texts.get(number)}</pre>)}
        {open && one.texts.length === 0 && <p className="small t2">{t('settings.about.noText')}</p>}
      </details>
    </li>
  )
}

/** A text that ships beside the window, loaded when it is looked at. */
function useText(load: () => Promise<{ readonly default: string }>): string | undefined {
  const [text, setText] = useState<string | undefined>(undefined)
  useEffect(() => {
    let gone = false
    void load().then((module) => {
      if (!gone) setText(module.default)
    })
    return () => {
      gone = true
    }
    // The text is the same for as long as the window runs.
  }, [])
  return text
}
