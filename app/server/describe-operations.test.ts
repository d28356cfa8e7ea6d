import { expect, test } from 'vitest'
import type { AnyOperation } from 'safepoint'
import { listOperationRoutes, operationsMarkdown } from './describe-operations.ts'
import { world } from './test/world.ts'

const shop = await world()
const operations = [...shop.composed.pantry.safepoint.operations.values()]
const routes = listOperationRoutes((await shop.send('GET', '/openapi.json')).body)
const rowOf = (markdown: string, name: string) =>
  markdown
    .split('\n')
    .find((line) => line.startsWith(`| \`${name}\``))
    ?.split(' | ')

test('there is a row for every operation that the shop registers, with the words of its own definition', () => {
  const markdown = operationsMarkdown(operations, routes)
  const own = operations.filter(({ name }) => !name.endsWith('.undo'))
  expect(own.length).toBeGreaterThan(20)
  for (const operation of own) {
    const [, , cancel, , after] = rowOf(markdown, operation.name) ?? []
    expect([operation.name, cancel]).toEqual([
      operation.name,
      expect.stringContaining(operation.uncancellable ?? operation.onCancel!),
    ])
    expect([operation.name, after]).toEqual([
      operation.name,
      operation.undo ? '*undo* |' : expect.stringContaining(operation.keep!),
    ])
    for (const step of Object.keys(operation.steps ?? {})) {
      const section = markdown.split(`\n### \`${operation.name}\`\n`)[1]?.split('\n### ')[0]
      expect([operation.name, step, section?.includes(`| \`${step}\` |`)]).toEqual([operation.name, step, true])
    }
  }
  expect(rowOf(markdown, 'order.place')?.[1]).toBe('`POST /api/orders`, required')
  expect(rowOf(markdown, 'session.rotate')?.[1]).toContain('*derived*')
})

test('an operation that is not there, or does not say what a cancel means, is not passed over in silence', () => {
  const without = operations.filter(({ name }) => name !== 'cart.add-item')
  expect(() => operationsMarkdown(without, routes)).toThrow('cart.add-item')
  const mute = operations.map((one) => (one.name === 'cart.add-item' ? { ...one, onCancel: undefined } : one))
  expect(() => operationsMarkdown(mute as AnyOperation[], routes)).toThrow('cart.add-item')
})
