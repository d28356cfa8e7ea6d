import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'

const read = (...file: string[]) => fs.readFileSync(path.join(import.meta.dirname, ...file), 'utf8')
const names = (text: string, pattern: RegExp) => [...new Set(Array.from(text.matchAll(pattern), ([, name]) => name!))]

it('The guide to the settings tells of each of them, and of no other', () => {
  const rows = read('..', '..', 'docs', 'guides', 'settings.md')
    .match(/^\|[^|]*\|/gm)!
    .join('\n')
  const told = names(rows, /`([A-Z][A-Z_]+)`/g)
  const own = names(read('config.ts'), /^ {2}([A-Z][A-Z_]+):/gm)
  const gateways = ['stripe', 'razorpay', 'cardcom'].flatMap((name) =>
    names(
      read('payments', 'gateways', name, `${name}-config.ts`),
      new RegExp(`['.](${name.toUpperCase()}_[A-Z_]+)`, 'g'),
    ),
  )
  expect(own.length).toBeGreaterThan(20)
  expect(told.toSorted()).toEqual([...own, ...gateways].toSorted())
})
