// The import arrows of ARCHITECTURE.md, as a table. `from` and `to` are repository paths; packages are `package:name`.
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * One row: a file matching `from` (and not `except`) imports nothing that matches `forbidden`, or only what matches
 * `allowed`. `types: true`: importing types is free.
 */
const arrows = [
  {
    rule: 'Nothing in safepoint/ imports from app/.',
    from: /^safepoint\//,
    forbidden: /^(app\/|package:pantry)/,
  },
  {
    rule: 'protocol.ts imports nothing: it is shared with the browser.',
    from: /^safepoint\/src\/protocol\.ts$/,
    allowed: /^$/,
  },
  {
    rule: 'The client knows the protocol and itself: no engine, no Node, no package.',
    from: /^safepoint\/src\/client\//,
    allowed: /^safepoint\/src\/(client\/|protocol\.ts$)/,
  },
  {
    rule: 'The engine knows no HTTP, no client, no testkit and no command line.',
    from: /^safepoint\/src\/(?!fastify\/|hono\/|express\/|client\/|testkit\/|cli\/)/,
    forbidden: /^safepoint\/src\/(fastify|hono|express|client|testkit|cli)\//,
  },
  {
    rule: 'An HTTP adapter knows the engine and the protocol; not the client, the testkit or another adapter.',
    from: /^safepoint\/src\/(fastify|hono|express)\//,
    forbidden: /^safepoint\/src\/(client|testkit|cli|databases)\//,
  },
  {
    rule: 'The library has no dependencies: packages are imported as types, and by value only where the caller brings that very one.',
    from: /^safepoint\/src\//,
    except: {
      'safepoint/src/databases/kysely': /^package:kysely$/,
      'safepoint/src/testkit/clone-database': /^package:pg$/,
    },
    forbidden: /^package:(?!node:)/,
    types: true,
  },
  {
    rule: 'The app depends on safepoint by its public name (tests may use safepoint/test/support).',
    from: /^app\//,
    except: { 'app/': /^safepoint\/test\/support\// },
    forbidden: /^safepoint\//,
  },
  {
    rule: 'Only tests use safepoint/test/support.',
    from: /^app\/(?!test\/|.*(\.test[.-]|\/test\/|\/e2e\/))/,
    forbidden: /^safepoint\/test\//,
  },
  {
    rule: 'app/client knows safepoint/client and the protocol; of the server it takes types, from *.schema.ts.',
    from: /^app\/client\/(?!.*\.test[.-])/,
    allowed: /^(app\/client\/|package:safepoint\/(client|protocol)$)/,
    types: /^app\/server\/.*\.schema\.ts$/,
  },
  {
    rule: 'web knows neither server nor simulators; it takes types, from *.schema.ts.',
    from: /^app\/web\/(?!e2e\/|.*\.test[.-])/,
    forbidden: /^app\/(server|simulators)\//,
    types: /^app\/server\/.*\.schema\.ts$/,
  },
  {
    rule: 'Only web/api calls app/client and safepoint/client.',
    from: /^app\/web\/(?!api\/|e2e\/|.*\.test[.-])/,
    forbidden: /^(app\/client\/|package:safepoint)/,
    types: true,
  },
  {
    rule: 'The server knows neither web nor app/client.',
    from: /^app\/server\/(?!.*(\.test[.-]|\/test\/))/,
    forbidden: /^app\/(web|client)\//,
  },
  {
    rule: 'A simulator is an outside service: it shares nothing with the server, and only the process (main.ts) starts it.',
    from: /^app\/server\/(?!test\/)[^/]+\/(?!.*\.test[.-])/,
    forbidden: /^app\/simulators\//,
  },
  {
    rule: 'A simulator is an outside service: it shares nothing with the server.',
    from: /^app\/simulators\/(?!.*\.test[.-])/,
    forbidden: /^(app\/(server|web|client)\/|package:safepoint)/,
  },
  {
    rule: 'routes -> operations -> queries: nothing in a domain imports routes.',
    from: /^app\/server\/[^/]+\/(?!.*(\.test[.-]|\.routes\.))/,
    forbidden: /\.routes\.ts$/,
  },
  {
    rule: 'routes -> operations -> queries: queries import no operation, no schema and no HTTP.',
    from: /\.queries\.ts$/,
    forbidden: /(\.routes\.ts|\.schema\.ts)$|^package:(fastify|safepoint\/fastify)/,
  },
  {
    rule: "A domain imports another's noun and operations, never its queries or routes.",
    from: /^app\/server\/[^/]+\/(?!.*\.test[.-])/,
    // The command line is no domain: it looks at all of them.
    except: { 'app/server/cli/': /\.queries\.ts$/ },
    forbidden: /^app\/server\/[^/]+\/.*\.(queries|routes)\.ts$/,
    own: /^app\/server\/[^/]+\//,
  },
]

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..')
const files = globSync('{safepoint,app}/**/*.{ts,tsx}', {
  cwd: root,
  exclude: (name) => /(^|\/)(node_modules|dist)$/.test(name),
})
let violations = 0
for (const file of files.map((name) => name.split(path.sep).join('/'))) {
  for (const found of listImports(file, readFileSync(path.join(root, file), 'utf8'))) {
    for (const arrow of arrows) {
      if (!arrow.from.test(file) || isAllowed(arrow, file, found)) continue
      violations += 1
      console.error(`${file}:${found.line}: imports ${found.target.replace('package:', '')}\n  ${arrow.rule}`)
    }
  }
}
if (violations > 0) {
  console.error(`\n${violations} import${violations === 1 ? '' : 's'} against the arrows of ARCHITECTURE.md.`)
  process.exitCode = 1
}

function isAllowed(arrow, file, { target, typeOnly }) {
  if (typeOnly && (arrow.types === true || arrow.types?.test(target))) return true
  if (Object.entries(arrow.except ?? {}).some(([place, what]) => file.startsWith(place) && what.test(target)))
    return true
  if (arrow.own !== undefined && arrow.own.exec(file)?.[0] === arrow.own.exec(target)?.[0]) return true
  return arrow.allowed === undefined ? !arrow.forbidden.test(target) : arrow.allowed.test(target)
}

function listImports(file, text) {
  const statements = /^(?:import|export)\s+(?<type>type\s+)?(?:[\w*{}\s,$]+?\s+from\s+)?['"](?<from>[^'"]+)['"]/gm
  const calls = /^(?!\s*(?:\*|\/\/)).*?(?<type>typeof\s+)?\bimport\(\s*['"](?<from>[^'"]+)['"]/gm
  return [statements, calls].flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => ({
      line: text.slice(0, match.index).split('\n').length,
      typeOnly: match.groups.type !== undefined,
      target: match.groups.from.startsWith('.')
        ? path.posix.join(path.posix.dirname(file), match.groups.from)
        : `package:${match.groups.from}`,
    })),
  )
}
