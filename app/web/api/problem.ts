export { problemOf } from '../../client/problem-of.ts'
