import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

const root = path.resolve(import.meta.dirname, '../..')
const spec = fs.readFileSync(path.join(root, 'SPEC.md'), 'utf8')
const invariants = [...spec.matchAll(/^- \*\*(I\d+)\*\* /gm)].map((match) => match[1]!)

/** Names of tests, with the file they stand in. A name cites an invariant by beginning with it: `I2, I11: …`. */
const names = ['safepoint/test', 'app']
  .flatMap((folder) =>
    fs.globSync(`${folder}/**/*.test.{ts,tsx}`, { cwd: root, exclude: ['**/node_modules/**', '**/dist/**'] }),
  )
  .flatMap((file) => {
    const text = fs.readFileSync(path.join(root, file), 'utf8')
    const declared = /^\s*(?:it|test)(?:\.(?!skip\b|todo\b)\w+(?:\([^\n]*?\))?)*\(\s*(['"`])(.*?)\1/gms
    return [...text.matchAll(declared)].map((match) => ({ file, name: match[2]! }))
  })
const cited = (name: string): string[] => /^((?:I\d+(?:, )?)+):/.exec(name)?.[1]?.split(', ') ?? []

describe('SPEC.md', () => {
  it('numbers its invariants from I1 to I14, each once', () => {
    expect(invariants).toEqual(Array.from({ length: 14 }, (_, index) => `I${index + 1}`))
  })

  it('has, for each of its invariants, at least one test that cites it by number', () => {
    const proved = new Set(names.flatMap(({ name }) => cited(name)))
    expect(invariants.filter((invariant) => !proved.has(invariant))).toEqual([])
  })

  it('is cited by the numbers it has', () => {
    const unknown = names.filter(({ name }) => cited(name).some((invariant) => !invariants.includes(invariant)))
    expect(unknown).toEqual([])
  })
})
