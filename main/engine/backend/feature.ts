/**
 * The place where the slice above the backend stands once it is there: without one nothing is said for it.
 */
import type { Notify } from '../../localapi/types.ts'
import type { Node } from '../core/tailcfg/types.ts'
import type { FeaturePort } from './ports.ts'

const NO_TARGET = { TaildropTarget: 0, NoFileSharingReason: '' } as const

export class FeaturePlace implements FeaturePort {
  #feature: FeaturePort | undefined

  attach(feature: FeaturePort): void {
    this.#feature = feature
  }

  initial(mask: number): Partial<Notify> {
    return this.#feature?.initial(mask) ?? {}
  }

  standing(): Partial<Notify> {
    return this.#feature?.standing() ?? {}
  }

  changed(): void {
    this.#feature?.changed()
  }

  targetOf(node: Node): ReturnType<FeaturePort['targetOf']> {
    return this.#feature?.targetOf(node) ?? NO_TARGET
  }
}
