/**
 * Gives components the host's API without a module-level singleton.
 */
import { createContext, useContext } from 'react'
import type { BowlineApi } from '../../preload/contract.ts'

export const ApiContext = createContext<BowlineApi | undefined>(undefined)

export function useApi(): BowlineApi {
  const api = useContext(ApiContext)
  if (!api) throw new Error('broken invariant: no host API above this component')
  return api
}
