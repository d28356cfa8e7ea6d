/** Grounds and bags that go together; each reads well in light and dark. */
const tints = [
  ['#f6ecd9', '#d9a441'],
  ['#e7f0df', '#7fa65a'],
  ['#fbe6dd', '#d9795d'],
  ['#e3eef0', '#5f97a3'],
  ['#f1e6f0', '#a4739c'],
  ['#f4efdc', '#a68d4f'],
] as const

/** What stands for groceries that nobody has drawn: a paper bag, always of the same colour for the same name. */
export function PaperBag({ name }: { readonly name: string }) {
  const [ground, bag] = tints[hash(name) % tints.length]!
  return (
    <svg viewBox="0 0 120 90" aria-hidden="true" className="picture size-full" preserveAspectRatio="xMidYMid slice">
      <rect width="120" height="90" fill={ground} />
      <ellipse cx="60" cy="76" rx="27" ry="4" fill="#000" opacity="0.14" />
      <path d="M52 24c-5-8-3-13 2-15 4 4 5 9 2 15Z" fill="#5f9a4b" />
      <path d="M64 25c1-9 6-12 11-11 1 6-3 11-9 13Z" fill="#76b05c" />
      <circle cx="70" cy="29" r="8" fill="#d2513c" />
      <path d="M40 30h40l3 45H37l3-45Z" fill={bag} />
      <path d="m40 30 4 5 4-5 4 5 4-5 4 5 4-5 4 5 4-5 4 5 4-5v9H40v-9Z" fill="#fff" opacity="0.28" />
      <path d="M72 39h8l3 36h-9l-2-36Z" fill="#000" opacity="0.12" />
      <path d="M60 48c6 3 8 9 4 16-8 0-11-8-4-16Z" fill="#fff" opacity="0.75" />
    </svg>
  )
}

function hash(text: string): number {
  let sum = 0
  for (const character of text) sum = (sum * 31 + character.codePointAt(0)!) >>> 0
  return sum
}
