import { box, circle, ellipse, line, moved, onGround, path, shadow, type Drawing } from './drawing.ts'

const jar = (lid: string, glass: string, label: string) =>
  box(27, 30, 42, 50, 9, glass) +
  line('M33 40v28', '#ffffff73', 3) +
  box(29, 18, 38, 13, 3.5, lid) +
  box(35, 44, 34, 22, 2, label)

const tomato = circle(48, 56, 9, '#d93a2b') + path('M48 49l-6-1 4-2 2-4 2 4 4 2z', '#3f8f3f')

const olive = (x: number, y: number) => ellipse(x, y, 4, 5.5, '#6f7f2a', 20) + circle(x - 1, y - 2, 1, '#c5d07a')

const square = (x: number, y: number) =>
  box(x, y, 14, 11, 1.5, '#4a2a1c') + line(`M${x + 2} ${y + 9}v-7h10`, '#7a4a34', 1.5)

export const larder: Readonly<Record<string, Drawing>> = {
  'peanut-butter': onGround('#fbf1e0', '#efd6a8')(
    shadow(48, 82, 24),
    jar('#b5382e', '#c58a48', '#fff6e2'),
    moved(
      path(
        'M34 24c10-4 19 2 20 11 1 5 0 8 3 12 7 4 11 12 8 20-4 10-17 12-25 6-7-5-8-13-5-20 1-4 0-7-3-11-5-6-4-15 2-18z',
        '#d8a75f',
      ) + line('M38 30l8 4M36 38l10 2M46 54l11 2M45 62l12 2', '#a0702f', 3),
      4,
      7,
      40,
      0.36,
    ),
  ),
  'olive-oil': onGround('#f6f7e6', '#dfe4b4')(
    shadow(44, 82, 20),
    path('M38 16h12v16c0 4 8 8 8 16v30c0 2-1 3-3 3H33c-2 0-3-1-3-3V48c0-8 8-12 8-16z', '#8a9a2f'),
    box(36.5, 11, 15, 8, 2, '#3d4a23'),
    box(30, 52, 28, 18, 0, '#fbf7e0'),
    olive(40, 61),
    olive(48, 61),
    line('M36 50c0-6 5-9 6-14', '#c5d07a', 2.5),
    moved(
      path('M30 48c8-10 22-12 34-4-8 10-24 12-34 4z', '#4f8a3c') + line('M30 48h30', '#8fc07a', 2),
      24,
      20,
      -40,
      0.6,
    ),
    olive(72, 74),
  ),
  honey: onGround('#fff6dc', '#fde0a0')(
    shadow(44, 82, 24),
    path('M30 32h28l9 12v24l-9 12H30l-9-12V44z', '#eda724'),
    path('M30 32h28l4 5H26z', '#f7c65a'),
    box(28, 20, 32, 12, 3, '#7d5a34'),
    path('M44 46l9 5v11l-9 5-9-5V51z', '#fff4d4'),
    line('M44 51l5 3v6l-5 3-5-3v-6z', '#dd9818', 2),
    line('M66 52L84 28', '#a8743c', 4),
    ellipse(64, 55, 5, 8, '#c98f4e', 37),
    line('M60 51l8 6M63 48l8 6M58 55l7 6', '#8a5a2a', 1.8),
  ),
  'chopped-tomatoes': onGround('#fbf0ec', '#f3cfc4')(
    shadow(48, 82, 26),
    box(25, 24, 46, 56, 3, '#c9d0d4'),
    box(25, 34, 46, 36, 0, '#f7ead2'),
    ellipse(48, 24, 23, 6, '#e3e8ea'),
    ellipse(48, 24, 18, 4, '#b4bdc2'),
    box(25, 34, 46, 4, 0, '#3f8f3f'),
    box(25, 66, 46, 4, 0, '#3f8f3f'),
    moved(tomato, -8, 1, -8, 0.95),
    moved(tomato, 9, 2, 8, 0.95),
  ),
  'dark-chocolate': onGround('#f6efe9', '#dcc6b4')(
    shadow(48, 82, 26),
    moved(
      box(30, 14, 36, 40, 2, '#33190f') +
        [16, 29, 42].flatMap((y) => [square(33, y), square(49, y)]).join('') +
        path('M26 50l6 3 6-4 6 4 6-4 6 4 6-4 8 3v30H26z', '#d9b25a') +
        path('M26 58h44v24H26z', '#7a2430') +
        box(36, 64, 24, 10, 1, '#f3e2b8') +
        line('M41 69h14', '#7a2430', 2.5),
      0,
      0,
      8,
      0.94,
    ),
  ),
  'green-tea': onGround('#eef7ec', '#cfe6c8')(
    shadow(46, 82, 28),
    ellipse(46, 78, 32, 5, '#dfe8e0'),
    line('M68 50c14-4 16 16-2 18', '#ffffff', 5),
    path('M18 44h54c0 20-8 33-20 33H38C26 77 18 64 18 44z', '#ffffff'),
    ellipse(45, 44, 27, 7, '#e4ede4'),
    ellipse(45, 44.5, 23, 5, '#a9c25a'),
    path('M45 66c-7-3-8-10-5-15 6 2 8 9 5 15zM45 66c1-7 6-10 12-9 0 6-5 10-12 9z', '#5a9f3d'),
    line('M36 34c-3-5 3-7 0-13M46 32c-3-5 3-7 0-13M56 34c-3-5 3-7 0-13', '#ffffff', 3),
  ),
  'orange-juice': onGround('#fff3e2', '#ffd9a2')(
    shadow(46, 82, 24),
    line('M50 46L60 14h12', '#d9483b', 4),
    path('M26 28h40l-5 50c0 2-2 3-4 3H35c-2 0-4-1-4-3z', '#ffffff'),
    path('M28.500 38h35l-4 38c0 1-1 2-2 2h-23c-1 0-2-1-2-2z', '#f9a02c'),
    ellipse(46, 38, 17.5, 3.5, '#ffbe62'),
    circle(68, 32, 13, '#f58d1f'),
    circle(68, 32, 10.5, '#fff3d6'),
    [0, 60, 120, 180, 240, 300]
      .map((turn) => `<path d="M68 30.500l-4-7a9 9 0 0 1 8 0z" fill="#ffab3d" transform="rotate(${turn} 68 32)"/>`)
      .join(''),
    line('M35 46l2 24', '#ffd08a', 3),
  ),
}
