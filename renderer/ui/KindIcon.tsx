/**
 * What kind of device a row is: a server when tagged, a phone by its system, else a computer.
 */
import { Laptop, Server, Smartphone } from 'lucide-react'
import type { ReactNode } from 'react'

export function KindIcon({ os, tagged }: { os: string; tagged: boolean }): ReactNode {
  const Icon = tagged ? Server : /^(ios|android|tvos)$/i.test(os) ? Smartphone : Laptop
  return <Icon className="kind" size={16} strokeWidth={1.9} aria-hidden="true" />
}
