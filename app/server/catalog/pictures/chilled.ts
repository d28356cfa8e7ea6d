import { box, circle, ellipse, line, moved, onGround, path, shadow, type Drawing } from './drawing.ts'

/** A block seen from above and from the side. */
const block = (
  x: number,
  y: number,
  width: number,
  height: number,
  [top, front, side]: readonly [string, string, string],
) =>
  path(`M${x} ${y}l10-9h${width}l-10 9z`, top) +
  path(`M${x} ${y}h${width}v${height}h${-width}z`, front) +
  path(`M${x + width} ${y}l10-9v${height}l-10 9z`, side)

const white = ['#ffffff', '#f6f1e4', '#e3dbc6'] as const

const egg = (x: number, y: number, fill: string) =>
  path(`M${x} ${y - 19}c8 0 13 12 13 20s-6 13-13 13-13-5-13-13 5-20 13-20z`, fill) +
  ellipse(x - 4, y - 6, 2.5, 4.5, '#ffffff', 20)

const cool = onGround('#eef5fb', '#cfe3f5')
const mild = onGround('#fdf3ea', '#f6dcc4')

export const chilled: Readonly<Record<string, Drawing>> = {
  'whole-milk': cool(
    shadow(48, 80, 22),
    path('M39 18h18v12l9 15v32c0 2-1 3-3 3H33c-2 0-3-1-3-3V45l9-15z', '#ffffff'),
    path('M30 52h36v16H30z', '#4f86b8'),
    box(37, 13, 22, 8, 2.5, '#4f86b8'),
    path('M48 54c4 5 6 7 6 9a6 6 0 0 1-12 0c0-2 2-4 6-9z', '#ffffff'),
    line('M36 46v-2l6-11', '#dbe8f3', 3),
  ),
  yoghurt: onGround('#f2f3fb', '#d7daf2')(
    shadow(48, 80, 22),
    path('M27 36h42l-5 41c0 2-2 3-4 3H36c-2 0-4-1-4-3z', '#ffffff'),
    path('M28.500 48h39l-2.400 18H30.900z', '#6d78c4'),
    ellipse(48, 36, 22, 5.5, '#e4e6f6'),
    ellipse(48, 35, 18, 4, '#fffdf6'),
    line('M42 35c2-2 6-2 8 0s5 2 7 0', '#dcd8c8', 2),
    circle(48, 57, 6, '#ffffff'),
  ),
  paneer: cool(
    shadow(48, 80, 32),
    ellipse(48, 72, 34, 8, '#7fa6c4'),
    ellipse(48, 70, 30, 6, '#a5c4dc'),
    block(24, 52, 20, 18, white),
    block(50, 54, 18, 16, white),
    block(36, 36, 20, 18, white),
  ),
  butter: onGround('#fffbe6', '#fbeeb0')(
    shadow(48, 78, 34),
    ellipse(48, 72, 36, 7, '#c9d6dc'),
    block(20, 50, 46, 20, ['#ffeb9c', '#f9d95f', '#e6bd3c']),
    path('M54 50h12v20H54zM54 50l10-9h12l-10 9zM66 50l10-9v20l-10 9z', '#ffffff'),
    line('M58 55v11M62 55v11', '#9db7c4', 1.6),
    line('M32 50l10-9', '#e6bd3c', 1.4),
  ),
  cheddar: onGround('#fff5e2', '#fcdca6')(
    shadow(48, 78, 32),
    path('M16 56L62 30c10 2 17 10 18 22v4z', '#ffc95c'),
    path('M16 56h64v20H16z', '#f2a530'),
    line('M62 30c10 2 17 10 18 22v24', '#c8452e', 3),
    ellipse(34, 66, 4, 3, '#dd8c1c'),
    ellipse(56, 68, 3, 2.2, '#dd8c1c'),
    ellipse(50, 47, 5, 2.5, '#f0ae3c'),
  ),
  eggs: mild(
    shadow(48, 80, 36),
    egg(26, 50, '#e9c39a'),
    egg(70, 50, '#f3e2cd'),
    egg(48, 48, '#dca878'),
    path(
      'M10 56c6 6 12 6 16 0 5 6 17 6 22 0 5 6 17 6 22 0 4 6 10 6 16 0l-3 20c0 2-2 3-4 3H17c-2 0-4-1-4-3z',
      '#8d9aa2',
    ),
    line('M14 66h68', '#73818a', 2),
  ),
  'chicken-breast': onGround('#fdf1ee', '#f7d3c9')(
    shadow(48, 80, 36),
    box(12, 66, 72, 12, 6, '#56636b'),
    path('M20 60c-4-18 14-34 34-30 16 3 26 16 22 28-2 7-8 10-16 10H32c-6 0-10-3-12-8z', '#f3b7a2'),
    path('M26 56c0-12 12-22 26-20 10 2 17 9 17 16-9-8-22-9-31-4-5 3-8 6-12 8z', '#f9cfbf'),
    line('M38 60c8-5 18-6 26-3', '#df957d', 2.5),
  ),
  'salmon-fillet': onGround('#fdeee8', '#f8c9b8')(
    shadow(48, 78, 34),
    path('M14 58c4-16 24-26 44-24 14 1 24 8 25 18 0 4-2 7-5 9L20 70c-5 0-7-6-6-12z', '#f58a68'),
    path('M14 58c-1 6 1 12 6 12l58-9c3-2 5-5 5-9l1 8c0 5-3 8-7 9l-56 10c-6 0-9-8-7-21z', '#6b7680'),
    line('M26 48c6 5 9 12 8 20M38 40c8 7 12 16 12 25M52 36c8 7 13 16 14 26M66 37c6 5 10 13 11 22', '#ffc4ad', 2.8),
  ),
  tofu: onGround('#f1f7f0', '#d3e6d0')(
    shadow(48, 80, 34),
    box(14, 70, 68, 7, 3.5, '#b98a5a'),
    block(18, 46, 34, 24, white),
    block(60, 54, 16, 16, white),
    line('M28 46v24M40 46v24M28 46l10-9M40 46l10-9', '#d8cfb6', 1.4),
    moved(
      path('M48 58c-8-2-10-10-8-16 7 1 10 8 8 16zM48 58c0-8 5-13 12-13 1 7-4 13-12 13z', '#4f9d4a'),
      22,
      -22,
      0,
      0.8,
    ),
  ),
}
