/**
 * The place where the slices above the backend stand once they are there: without any nothing is said for them. Of a question that only
 * one can answer the first that does is heard.
 */
import type { Notify } from '../../localapi/types.ts'
import type { Node } from '../core/tailcfg/types.ts'
import type { FeaturePort, FileTargetState } from './ports.ts'

const NO_TARGET = { TaildropTarget: 0, NoFileSharingReason: '' } as const

export class FeaturePlace {
  readonly #features: FeaturePort[] = []

  attach(feature: FeaturePort): void {
    this.#features.push(feature)
  }

  initial(mask: number): Partial<Notify> {
    return this.#merged((feature) => feature.initial(mask))
  }

  standing(): Partial<Notify> {
    return this.#merged((feature) => feature.standing())
  }

  changed(): void {
    for (const feature of this.#features) feature.changed()
  }

  planned(): void {
    for (const feature of this.#features) feature.planned?.()
  }

  loaded(): void {
    for (const feature of this.#features) feature.loaded?.()
  }

  leaving(): void {
    for (const feature of this.#features) feature.leaving?.()
  }

  targetOf(node: Node): FileTargetState {
    for (const feature of this.#features) if (feature.targetOf) return feature.targetOf(node)
    return NO_TARGET
  }

  #merged(part: (feature: FeaturePort) => Partial<Notify>): Partial<Notify> {
    let out: Partial<Notify> = {}
    for (const feature of this.#features) out = { ...out, ...part(feature) }
    return out
  }
}
