import { box, circle, ellipse, line, moved, onGround, path, shadow, type Drawing } from './drawing.ts'

const leaf = path('M48 30c3-10 13-13 21-10-2 10-12 14-21 10z', '#4f9d4a')
const stalk = line('M48 34c0-6 2-10 6-14', '#6b4226', 3.5)

const banana =
  path('M27 26c-4 24 10 46 38 44 5-1 6-6 2-8-18-3-29-15-31-35 0-4-8-5-9-1z', '#f4c63d') +
  line('M31 30c0 20 12 34 31 36', '#dba321', 2.5) +
  path('M27 26l1-7 7 0 1 8c-2-3-7-3-9-1z', '#7a5a1e')

const citrus = (rind: string, flesh: string) =>
  circle(60, 62, 16, rind) +
  circle(60, 62, 13.5, '#fff6dd') +
  [0, 60, 120, 180, 240, 300]
    .map(
      (turn) => `<path d="M60 60l-5-9a11.500 11.500 0 0 1 10 0z" fill="${flesh}" transform="rotate(${turn} 60 62)"/>`,
    )
    .join('')

const potato = (x: number, y: number, turn: number, fill: string) =>
  moved(
    path('M26 48c0-14 12-19 24-18 14 1 22 8 22 19 0 12-12 17-25 17-12 0-21-6-21-18z', fill) +
      circle(40, 44, 1.6, '#8f6a3a') +
      circle(52, 54, 1.6, '#8f6a3a') +
      circle(60, 44, 1.4, '#8f6a3a') +
      line('M34 40c4-5 9-6 14-6', '#f0dab0', 2.5),
    x,
    y,
    turn,
    0.72,
  )

const carrot =
  path('M41 38c9-5 18 3 14 13L34 82c-4 4-9 1-8-5z', '#ee8434') +
  line('M37 54l8 5M33 65l6 4', '#c4631e', 2.5) +
  path('M48 39c-5-11 0-20 5-23 3 8 2 16 0 22z', '#4f9d4a') +
  path('M54 41c5-13 14-16 21-14-2 9-11 15-19 17z', '#5fb257')

const spinachLeaf =
  path('M48 74c-16-10-20-30-12-44 5-8 19-8 24 0 8 14 4 34-12 44z', '#3f8f4a') +
  line('M48 82V36M48 54l-9-8M48 62l9-9M48 46l6-6', '#8ccf86', 2)

const pepper = (fill: string, shade: string) =>
  path('M30 44c-1-9 8-13 18-9 10-4 19 0 18 9-1 16-6 32-11 34-3 1-5-1-7-1s-4 2-7 1c-5-2-10-18-11-34z', fill) +
  line('M42 44c0 12 1 22 3 28M55 44c0 12-1 20-3 27', shade, 2.5) +
  path('M40 36c4-4 12-4 16 0-4 3-12 3-16 0z', '#4f8a3c') +
  line('M48 35c0-6 2-9 5-11', '#4f8a3c', 4)

const fruit = onGround('#fff4e6', '#ffdcb0')
const greens = onGround('#f1f8e8', '#d3eabb')

export const produce: Readonly<Record<string, Drawing>> = {
  bananas: onGround('#fff9e0', '#ffe9a8')(shadow(), moved(banana, -3, 2, -16, 0.96), moved(banana, 5, 2, 8)),
  'apples-royal-gala': fruit(
    shadow(),
    path('M48 37c-7-8-25-6-26 11-1 16 11 31 19 31 3 0 4-1 7-1s4 1 7 1c8 0 20-15 19-31-1-17-19-19-26-11z', '#d6453a'),
    path('M34 40c-6 2-8 9-6 16', '#d6453a'),
    line('M31 52c0-6 2-9 6-11', '#f5a79c', 3.5),
    stalk,
    leaf,
  ),
  oranges: fruit(
    shadow(),
    circle(40, 50, 23, '#f58d1f'),
    ellipse(33, 41, 6, 3.5, '#ffc077', -35),
    path('M40 28c1-8 9-12 17-10-1 8-9 12-17 10z', '#4f9d4a'),
    circle(40, 28, 2, '#7a5a1e'),
    citrus('#f58d1f', '#ffab3d'),
  ),
  'mangoes-alphonso': onGround('#fff7dc', '#ffe09a')(
    shadow(),
    path('M30 34c14-14 40-6 42 18 1 17-14 26-28 24-17-2-26-27-14-42z', '#f6b42c'),
    path('M30 34c9-9 22-10 31-4-12 2-26 12-30 34-8-9-9-22-1-30z', '#ef7f3f'),
    line('M60 36c5 3 8 8 8 14', '#ffdf8c', 3.5),
    line('M34 31c-1-5 0-8 2-11', '#6b4226', 3.5),
    path('M37 23c5-7 15-8 21-3-5 7-14 9-21 3z', '#4f9d4a'),
  ),
  pomegranate: onGround('#fdeceb', '#f6c6c4')(
    shadow(),
    circle(48, 53, 25, '#b3202f'),
    path('M38 31l-2-12 7 5 5-7 5 7 7-5-2 12c-6 3-14 3-20 0z', '#c93a3f'),
    path('M50 40c12 2 19 11 17 22-9 4-20-2-22-12 0-5 2-9 5-10z', '#f7e3c8'),
    circle(53, 47, 3.4, '#d8334a'),
    circle(60, 50, 3.4, '#c2213b'),
    circle(52, 54.5, 3.4, '#c2213b'),
    circle(59, 57.5, 3.4, '#d8334a'),
    line('M30 46c2-6 5-9 9-11', '#e0707a', 3.5),
  ),
  lemons: onGround('#fffbe0', '#fbf0a6')(
    shadow(),
    path('M18 47c3-1 3-3 5-6 7-12 26-14 36-2 3 3 3 6 7 8-4 2-4 5-7 8-10 12-29 10-36-2-2-3-2-5-5-6z', '#f7d72f'),
    line('M29 40c4-4 9-6 14-6', '#fff3a3', 3.5),
    citrus('#f2cf1d', '#fbe468'),
  ),
  tomatoes: onGround('#fdf0ea', '#f9d0c0')(
    shadow(),
    circle(36, 54, 20, '#d93a2b'),
    circle(60, 56, 19, '#e54a37'),
    line('M25 50c1-5 4-8 8-10M50 52c1-4 3-6 6-8', '#f7a696', 3.5),
    path('M36 40l-9-3 7-1-1-7 4 5 5-5-1 7 7 1-8 3 2 5-3-3-4 4z', '#3f8f3f'),
    path('M60 43l-9-3 7-1-1-7 4 5 5-5-1 7 7 1-8 3 2 5-3-3-4 4z', '#4a9f48'),
  ),
  onions: onGround('#f8eef6', '#e9cfe4')(
    shadow(),
    path('M48 22c2 10 8 13 16 19 14 11 8 36-16 36S18 52 32 41c8-6 14-9 16-19z', '#8e3a72'),
    line('M48 32c-4 14-16 16-16 28 0 6 3 11 6 14M48 32c4 14 16 16 16 28 0 6-3 11-6 14M48 34v42', '#b96a9f', 2.5),
    line('M48 26c-1-5-3-8-6-10M48 26c1-5 3-8 6-9', '#b98d43', 3),
    line('M43 77l-2 4M48 78v4M53 77l2 4', '#a58a5a', 2),
  ),
  potatoes: onGround('#faf3e6', '#ecd9b4')(
    shadow(48, 78, 30),
    potato(-10, -8, -12, '#cfa162'),
    potato(10, 8, 14, '#ddb478'),
  ),
  carrots: onGround('#fff3e6', '#fbdab4')(
    shadow(44, 82, 20),
    moved(carrot, 9, -3, 14, 0.92),
    moved(carrot, -6, 2, -10, 0.96),
  ),
  spinach: greens(
    shadow(),
    moved(spinachLeaf, -14, 1, -26, 0.86),
    moved(spinachLeaf, 14, 1, 26, 0.86),
    moved(spinachLeaf, 0, -3),
  ),
  broccoli: greens(
    shadow(),
    path('M40 52h16l-2 14c0 8 2 10 4 12H38c2-2 4-4 4-12z', '#9cc56a'),
    path('M42 56l-12-8 4-4 12 8zM54 56l12-8-4-4-12 8z', '#9cc56a'),
    circle(30, 40, 12, '#3f8a3b'),
    circle(66, 40, 12, '#3f8a3b'),
    circle(40, 30, 13, '#4c9c45'),
    circle(57, 30, 13, '#4c9c45'),
    circle(48, 42, 13, '#5aac50'),
    [
      [28, 36],
      [38, 26],
      [46, 38],
      [58, 27],
      [66, 38],
      [54, 44],
      [36, 44],
    ]
      .map(([x, y]) => circle(x!, y!, 1.7, '#8fd07f'))
      .join(''),
  ),
  cucumber: greens(
    shadow(),
    moved(box(16, 37, 62, 19, 9.5, '#3d8a45') + line('M24 43h44M28 50h36', '#6bb56c', 2), -4, -7, -28),
    circle(62, 64, 14, '#3d8a45'),
    circle(62, 64, 11.5, '#dff0c4'),
    circle(62, 64, 6, '#c3e29c'),
    [0, 72, 144, 216, 288]
      .map(
        (turn) => `<ellipse cx="62" cy="60" rx="1.200" ry="2.400" fill="#fffbe6" transform="rotate(${turn} 62 64)"/>`,
      )
      .join(''),
  ),
  'bell-peppers': onGround('#f8f6e6', '#e3e6b8')(
    shadow(48, 80, 30),
    moved(pepper('#f2c12e', '#d39c14'), -17, -5, -10, 0.76),
    moved(pepper('#5a9f3d', '#3f7d2a'), 17, -5, 10, 0.76),
    moved(pepper('#d63b2f', '#a92418'), 0, 5, 0, 0.84),
  ),
}
