import { box, circle, ellipse, line, moved, onGround, path, shadow, type Drawing } from './drawing.ts'

type Spot = readonly [x: number, y: number, turn: number]

/** Places on a heap that rises above the rim of a bowl. */
const heap: readonly Spot[] = [
  [30, 47, 20],
  [38, 46, -30],
  [46, 47, 60],
  [54, 46, 10],
  [62, 47, -50],
  [69, 48, 30],
  [26, 49, -10],
  [35, 40, 50],
  [43, 39, -15],
  [51, 40, 35],
  [59, 40, -60],
  [66, 42, 15],
  [40, 33, 25],
  [48, 32, -40],
  [56, 34, 70],
]

const scatter = (seed: (spot: Spot) => string, spots: readonly Spot[] = heap) => spots.map(seed).join('')

/** A bowl of something, whose seeds show above its rim. */
const bowlOf = (bowl: string, rim: string, mound: string, seeds: string): string =>
  shadow() +
  path('M22 50c4-16 14-22 26-22s22 6 26 22z', mound) +
  seeds +
  path('M17 50h62c0 17-11 28-24 28H41C28 78 17 67 17 50z', bowl) +
  box(15, 47.5, 66, 6, 3, rim)

const ear = (x: number, y: number, scale: number, colour: string) =>
  moved(
    line('M48 26v46', colour, 2.5) +
      [30, 38, 46, 54]
        .map((at) =>
          path(`M48 ${at + 8}c-7 0-10-5-9-10 6 0 9 4 9 10zM48 ${at + 8}c7 0 10-5 9-10-6 0-9 4-9 10z`, colour),
        )
        .join('') +
      path('M48 28c-4-4-4-9 0-12 4 3 4 8 0 12z', colour),
    x,
    y,
    0,
    scale,
  )

const sack = (cloth: string, fold: string) =>
  path('M29 34c-9 14-12 32-6 42 2 3 48 3 50 0 6-10 3-28-6-42z', cloth) +
  path('M29 34c-2-6 2-12 6-14 4 3 8 3 13 0 5 3 9 3 13 0 4 2 8 8 6 14-10 4-28 4-38 0z', fold)

const almond =
  path('M48 20c14 9 20 22 20 34 0 13-9 24-20 24s-20-11-20-24c0-12 6-25 20-34z', '#b0703d') +
  line('M48 28v42M39 38c-3 10-3 20 1 30M57 38c3 10 3 20-1 30', '#86502a', 2.5)

const peanut =
  path(
    'M34 24c10-4 19 2 20 11 1 5 0 8 3 12 7 4 11 12 8 20-4 10-17 12-25 6-7-5-8-13-5-20 1-4 0-7-3-11-5-6-4-15 2-18z',
    '#d8a75f',
  ) + line('M38 30l8 4M36 38l10 2M46 54l11 2M45 62l12 2M40 26l0 14M50 52l0 18', '#b07f3b', 2)

const warm = onGround('#fdf6e3', '#f1dfae')
const earth = onGround('#f8f0e4', '#e6d1ae')

export const staples: Readonly<Record<string, Drawing>> = {
  'basmati-rice': onGround(
    '#f3f6f4',
    '#d5e3dc',
  )(
    bowlOf(
      '#3d7d74',
      '#2f655e',
      '#fffdf4',
      scatter(([x, y, turn]) => ellipse(x, y, 4.5, 1.3, '#dfd8bf', turn)),
    ),
  ),
  'brown-rice': warm(
    shadow(),
    sack('#c9a06a', '#b1874f'),
    ellipse(48, 56, 16, 13, '#fff4da'),
    scatter(
      ([x, y, turn]) => ellipse(x, y, 4.2, 1.6, '#a9743b', turn),
      [
        [42, 50, 20],
        [52, 49, -40],
        [47, 56, 70],
        [39, 58, -20],
        [56, 58, 30],
        [48, 63, -10],
      ],
    ),
  ),
  'rolled-oats': warm(
    bowlOf(
      '#7a95b5',
      '#627d9d',
      '#ecd9b0',
      scatter(([x, y, turn]) => ellipse(x, y, 4.2, 3, '#f8ebcc', turn) + ellipse(x, y, 2.4, 0.8, '#c8a871', turn)),
    ),
    line('M66 40L84 20', '#b9bec4', 4),
    ellipse(63, 43, 6, 4, '#d5d9dd', -45),
  ),
  'wheat-flour': warm(
    shadow(),
    path('M30 28h36l5 50H25z', '#e9d3a4'),
    path('M30 28c0-5 3-9 6-10h24c3 1 6 5 6 10z', '#cfae70'),
    ellipse(48, 56, 15, 17, '#fff8e6'),
    ear(0, 8, 0.5, '#b98532'),
  ),
  quinoa: onGround(
    '#faf3ee',
    '#ecd5c5',
  )(
    bowlOf(
      '#b4553c',
      '#964229',
      '#f3e6c6',
      scatter(([x, y]) => circle(x, y, 2.3, '#fff7e0') + circle(x + 0.6, y + 0.4, 0.8, '#c7a86a')),
    ),
  ),
  spaghetti: warm(
    shadow(48, 82, 18),
    [-14, -10, -6, -2, 2, 6, 10, 14]
      .map((x) => line(`M${48 + x} 18L${48 + x * 0.45} 50L${48 + x} 80`, x % 4 === 0 ? '#e8b84a' : '#f3cf6f', 3.2))
      .join(''),
    box(38, 45, 20, 10, 3, '#b4462f'),
    line('M42 50h12', '#f5c9b6', 2),
  ),
  'red-lentils': onGround(
    '#fdf0e8',
    '#f6cfb5',
  )(
    bowlOf(
      '#54718c',
      '#415b73',
      '#e2703a',
      scatter(([x, y, turn]) => ellipse(x, y, 4, 2.9, '#f2935c', turn)),
    ),
  ),
  chickpeas: earth(
    bowlOf(
      '#8c5a3c',
      '#70442b',
      '#d9b377',
      scatter(
        ([x, y, turn]) =>
          circle(x, y, 4.4, '#ecce96') +
          `<path d="M${x} ${y - 4.6}l1.600 2.400h-3.200z" fill="#c89b58" transform="rotate(${turn} ${x} ${y})"/>`,
      ),
    ),
  ),
  'kidney-beans': onGround(
    '#fbeeee',
    '#eecaca',
  )(
    bowlOf(
      '#e2d3b8',
      '#cbb892',
      '#6d1823',
      scatter(
        ([x, y, turn]) =>
          `<path d="M${x - 5} ${y}c0-4 4-5 5-3 1-2 6-1 5 3-1 4-9 4-10 0z" fill="#9c2736" transform="rotate(${turn} ${x} ${y})"/>` +
          circle(x - 1.5, y + 1, 0.9, '#d98a92'),
      ),
    ),
  ),
  'mung-beans': onGround(
    '#f3f7e6',
    '#d9e6b2',
  )(
    bowlOf(
      '#a8623f',
      '#8a4c2d',
      '#5e7a2c',
      scatter(([x, y, turn]) => ellipse(x, y, 3.7, 2.8, '#85a544', turn) + ellipse(x, y, 1.5, 0.6, '#eef3d2', turn)),
    ),
  ),
  almonds: onGround('#faf1e6', '#ecd4b6')(
    shadow(48, 80, 30),
    moved(almond, -16, -6, -28, 0.66),
    moved(almond, 16, -7, 26, 0.66),
    moved(almond, 1, 12, 78, 0.62),
  ),
  peanuts: onGround('#fbf3e2', '#f0dcb2')(
    shadow(48, 80, 30),
    moved(peanut, -14, -4, -18, 0.86),
    moved(peanut, 15, 5, 32, 0.86),
  ),
  'wholemeal-bread': onGround('#fdf3e7', '#f3d9b5')(
    shadow(48, 78, 32),
    path('M14 50c-3-14 10-20 24-20h20c14 0 27 6 24 20-1 4-4 6-7 6v20H21V56c-3 0-6-2-7-6z', '#b9763c'),
    path('M22 50c-2-9 6-13 16-13h8c10 0 18 4 16 13-1 3-3 5-5 5v16H27V55c-2 0-4-2-5-5z', '#e8c593'),
    [
      [33, 47],
      [42, 44],
      [50, 50],
      [36, 57],
      [46, 62],
      [52, 57],
      [34, 66],
    ]
      .map(([x, y]) => circle(x!, y!, 1.3, '#b9834b'))
      .join(''),
  ),
  'pita-bread': onGround('#fdf5ea', '#f1dcbc')(
    shadow(),
    [70, 62, 54, 46].map((y) => ellipse(48, y, 28, 10, '#c99a5b') + ellipse(48, y - 2.5, 28, 9.5, '#ecd0a0')).join(''),
    ellipse(40, 41, 6, 2, '#cd9f60'),
    ellipse(56, 45, 5, 1.8, '#cd9f60'),
    ellipse(54, 39, 3, 1.2, '#cd9f60'),
  ),
}
