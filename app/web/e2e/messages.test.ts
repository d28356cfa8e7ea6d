import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { messages } from '../messages.ts'

it('An order’s history has words for every reason that a customer is told', () => {
  const source = fs.readFileSync(path.join(import.meta.dirname, '..', '..', 'server', 'orders', 'orders.ts'), 'utf8')
  const [, union] = /^export type OrderReason =\n((?: {2}.*\n)+)/m.exec(source)!
  const reasons = Array.from(union!.matchAll(/'(\w+)'/g), ([, reason]) => reason!)
  expect(reasons).toContain('placed')
  // Disputes are told to administrators only.
  const told = reasons.filter((reason) => !reason.startsWith('dispute_'))
  expect(told.filter((reason) => messages.orders.reasons[reason] === undefined)).toEqual([])
})
