/** A drawing on a 96 × 96 field, and the two colours of its background. */
interface Drawing {
  readonly from: string
  readonly to: string
  readonly shapes: string
}

const drawings: Readonly<Record<string, Drawing>> = {
  fruit: {
    from: '#fff1e6',
    to: '#ffd6a5',
    shapes:
      '<path d="M48 34c-6-7-22-6-24 10-2 15 10 32 18 32 3 0 4-1 6-1s3 1 6 1c8 0 20-17 18-32-2-16-18-17-24-10z" fill="#d9483b"/><path d="M48 34c0-7 3-12 8-15" fill="none" stroke="#6b4226" stroke-width="4" stroke-linecap="round"/><path d="M54 27c3-8 11-10 17-8-1 7-9 11-17 8z" fill="#4f9d4a"/>',
  },
  vegetables: {
    from: '#f0f7e6',
    to: '#cfe8b4',
    shapes:
      '<path d="M42 40c9-4 16 3 14 12L34 78c-4 4-9 1-8-5z" fill="#ee8434"/><path d="M48 41c-4-12 2-21 6-23 3 8 2 16 0 21zM54 43c6-12 15-14 20-12-2 9-10 14-17 15z" fill="#4f9d4a"/><path d="M37 53l7 4M33 63l6 4" stroke="#c4631e" stroke-width="3" stroke-linecap="round"/>',
  },
  grains: {
    from: '#fdf6e3',
    to: '#f1dfae',
    shapes:
      '<path d="M30 36h36l6 40H24z" fill="#d9b36b"/><path d="M32 36c0-8 6-14 16-14s16 6 16 14z" fill="#b98d43"/><path d="M48 48v20M48 54c-6 0-9-4-9-8 6 0 9 3 9 8zM48 62c-6 0-9-4-9-8 6 0 9 3 9 8zM48 54c6 0 9-4 9-8-6 0-9 3-9 8zM48 62c6 0 9-4 9-8-6 0-9 3-9 8z" fill="#fff6dc" stroke="#fff6dc" stroke-width="2"/>',
  },
  pulses: {
    from: '#f6efe6',
    to: '#e0cba8',
    shapes:
      '<path d="M20 46h56c0 18-12 30-28 30S20 64 20 46z" fill="#8c5a3c"/><circle cx="34" cy="42" r="8" fill="#c98b4b"/><circle cx="49" cy="38" r="9" fill="#b5703a"/><circle cx="63" cy="43" r="7" fill="#d9a066"/>',
  },
  dairy: {
    from: '#eef5fb',
    to: '#cfe3f5',
    shapes:
      '<path d="M38 18h20v12l8 14v34H30V44l8-14z" fill="#ffffff" stroke="#5b8db8" stroke-width="3" stroke-linejoin="round"/><path d="M30 52h36v26H30z" fill="#9cc3e4"/><path d="M38 18h20v8H38z" fill="#5b8db8"/>',
  },
  protein: {
    from: '#fdf0e4',
    to: '#f7d6bb',
    shapes:
      '<path d="M48 20c12 0 22 18 22 34S60 78 48 78 26 70 26 54s10-34 22-34z" fill="#fffaf2" stroke="#d9a066" stroke-width="3"/><circle cx="48" cy="58" r="11" fill="#f2b134"/>',
  },
  nuts: {
    from: '#f7efe5',
    to: '#e6cfb3',
    shapes:
      '<path d="M48 18c14 8 20 22 20 34 0 14-9 26-20 26S28 66 28 52c0-12 6-26 20-34z" fill="#a9683a"/><path d="M48 26v44M39 36c-4 10-4 22 0 32M57 36c4 10 4 22 0 32" stroke="#7d4724" stroke-width="3" fill="none" stroke-linecap="round"/>',
  },
  bakery: {
    from: '#fdf3e7',
    to: '#f3d9b5',
    shapes:
      '<path d="M22 50c-4-16 12-24 26-24s30 8 26 24c-1 4-4 6-6 6v18H28V56c-2 0-5-2-6-6z" fill="#cf9350"/><path d="M38 38l6 10M50 36l6 10" stroke="#f6dcb4" stroke-width="4" stroke-linecap="round"/>',
  },
  pantry: {
    from: '#f4f1ea',
    to: '#ddd5c2',
    shapes:
      '<rect x="30" y="30" width="36" height="48" rx="7" fill="#e9b44c"/><rect x="32" y="18" width="32" height="12" rx="3" fill="#7d6b4f"/><rect x="36" y="46" width="24" height="18" rx="2" fill="#fff8e7"/><path d="M41 52h14M41 58h9" stroke="#7d6b4f" stroke-width="3" stroke-linecap="round"/>',
  },
  drinks: {
    from: '#ecf6f1',
    to: '#c5e5d6',
    shapes:
      '<path d="M28 36h40l-5 42H33z" fill="#ffffff" stroke="#3f8f6b" stroke-width="3" stroke-linejoin="round"/><path d="M31 50h34l-3 25H34z" fill="#7cc4a1"/><path d="M54 36l6-18h10" fill="none" stroke="#d9483b" stroke-width="4" stroke-linecap="round"/>',
  },
}

export const categories: readonly string[] = Object.keys(drawings)

/** An image for the products of a category, drawn here so that a page needs no other host. */
export function drawCategory(category: string): string | undefined {
  if (!Object.hasOwn(drawings, category)) return undefined
  const { from, to, shapes } = drawings[category]!
  return (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="480" height="480">' +
    `<defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="${from}"/><stop offset="1" stop-color="${to}"/></linearGradient></defs>` +
    `<rect width="96" height="96" fill="url(#g)"/>${shapes}</svg>`
  )
}
