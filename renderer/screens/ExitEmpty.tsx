/**
 * No device offers to be an exit node: what somebody has to do, in two steps, with the commands to hand on.
 */
import { Copy } from 'lucide-react'
import type { ReactNode } from 'react'
import { CopyButton } from '../ui/CopyButton.tsx'

const OFFER = 'bowline set --advertise-exit-node'
const APPROVE = 'headscale nodes approve-routes --identifier ID --routes 0.0.0.0/0,::/0'
const REQUEST = `Please let one of our devices be an exit node.\n1. On that device: ${OFFER}\n2. On the server: ${APPROVE}\n`

export function ExitEmpty(): ReactNode {
  return (
    <section className="exit-empty" aria-label="No exit nodes">
      <h2>No device of your network offers to be an exit node.</h2>
      <p className="t2">Two things make one:</p>
      <ol className="plain">
        <li><span className="num t3">1</span><div className="grow"><p>A device offers it, with Bowline or Tailscale.</p><Command text={OFFER} /></div></li>
        <li><span className="num t3">2</span><div className="grow"><p>An admin approves it on the server.</p><Command text={APPROVE} /></div></li>
      </ol>
      <div className="buttons"><CopyButton text={REQUEST} className="button">Copy request for admin</CopyButton></div>
    </section>
  )
}

function Command({ text }: { text: string }): ReactNode {
  return <p className="admin-line"><code className="mono selectable">{text}</code><CopyButton text={text} className="icon-button"><Copy size={14} strokeWidth={1.9} aria-hidden="true" /></CopyButton></p>
}
