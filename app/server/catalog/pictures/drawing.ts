/** What is drawn on a field of 96 × 96, and the two colours of the ground it stands on. */
export interface Drawing {
  readonly ground: readonly [from: string, to: string]
  readonly shapes: string
}

export const onGround =
  (from: string, to: string) =>
  (...shapes: readonly string[]): Drawing => ({ ground: [from, to], shapes: shapes.join('') })

/** Where the thing stands. */
export const shadow = (cx = 48, cy = 79, rx = 26): string =>
  `<ellipse cx="${cx}" cy="${cy}" rx="${rx}" ry="4" fill="#3b2a14" opacity=".13"/>`

export const path = (d: string, fill: string): string => `<path d="${d}" fill="${fill}"/>`

export const line = (d: string, stroke: string, width: number): string =>
  `<path d="${d}" fill="none" stroke="${stroke}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round"/>`

export const circle = (cx: number, cy: number, r: number, fill: string): string =>
  `<circle cx="${cx}" cy="${cy}" r="${r}" fill="${fill}"/>`

export const ellipse = (cx: number, cy: number, rx: number, ry: number, fill: string, turn = 0): string =>
  `<ellipse cx="${cx}" cy="${cy}" rx="${rx}" ry="${ry}" fill="${fill}"${turn === 0 ? '' : ` transform="rotate(${turn} ${cx} ${cy})"`}/>`

export const box = (x: number, y: number, width: number, height: number, r: number, fill: string): string =>
  `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="${r}" fill="${fill}"/>`

/** The same shapes elsewhere, turned and scaled about the middle of the field. */
export const moved = (shapes: string, x: number, y: number, turn = 0, scale = 1): string =>
  `<g transform="translate(${x} ${y}) rotate(${turn} 48 48) translate(${48 - 48 * scale} ${48 - 48 * scale}) scale(${scale})">${shapes}</g>`

/** The page crops a picture to 4:3 in places: what is drawn stays clear of the edges. */
const inset = 'translate(48 48) scale(0.88) translate(-48 -48)'

export function svgOf({ ground: [from, to], shapes }: Drawing): string {
  return (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="480" height="480">' +
    `<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="${from}"/><stop offset="1" stop-color="${to}"/></linearGradient></defs>` +
    `<rect width="96" height="96" fill="url(#g)"/><g transform="${inset}">${shapes}</g></svg>`
  )
}
