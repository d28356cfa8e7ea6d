import { defineConfig } from 'vitest/config'

// The condition under which the workspace packages export their TypeScript sources; child processes of tests need
// `node --conditions=source` themselves.
const conditions = ['source', 'module', 'node', 'development|production']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['source', 'node'] } },
  test: {
    include: ['safepoint/test/**/*.test.ts', 'app/**/*.test.{ts,tsx}'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    globalSetup: ['safepoint/test/support/global-setup.ts'],
    // Processes, because crash tests and signals need them; two, because the tests measure time on small machines.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
