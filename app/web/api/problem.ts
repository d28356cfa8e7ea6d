export { isKept } from '../../client/not-done.ts'
export { problemOf } from '../../client/problem-of.ts'
