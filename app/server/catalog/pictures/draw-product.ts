import { chilled } from './chilled.ts'
import { svgOf, type Drawing } from './drawing.ts'
import { larder } from './larder.ts'
import { produce } from './produce.ts'
import { staples } from './staples.ts'

const drawings: Readonly<Record<string, Drawing>> = { ...produce, ...staples, ...chilled, ...larder }

/** The products that have a drawing, by slug. */
export const drawnProducts: readonly string[] = Object.keys(drawings)

/** A picture of a demo product, drawn here so that a page needs no other host; `undefined`: there is none of it. */
export function drawProduct(slug: string): string | undefined {
  const drawing = Object.hasOwn(drawings, slug) ? drawings[slug] : undefined
  return drawing && svgOf(drawing)
}
