// `npm test`: all of CI in one command. `npm test -- <test files>` runs only these test files.
// Plain JavaScript for Node 20; the stages run under the project's Node. The last line is `N passed, N failed`.
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { ensureInstalled, projectNode, root } from './installation.mjs'

ensureInstalled()
const node = projectNode()
const nodeFolder = path.dirname(node.command)
const results = path.join(root, 'node_modules', '.cache', 'test-results.json')
const chosen = process.argv.slice(2)
const is = (place) => fs.existsSync(path.join(root, place))
const bin = (place) => path.join(root, 'node_modules', place)

let passed = 0
let failed = 0

/** A stage is there when what it looks at is. `commands` are arguments of the project's Node. */
const stages = [
  { name: 'format', hint: 'npm run format', commands: [[bin('oxfmt/bin/oxfmt'), '--check']] },
  { name: 'lint', commands: [[bin('oxlint/bin/oxlint'), '--type-aware']] },
  { name: 'import arrows', commands: [['scripts/check-imports.mjs']] },
  { name: 'types', commands: [[bin('typescript/bin/tsc'), '-b']] },
  { name: 'schema', needs: ['safepoint/migrations'], commands: [['scripts/dump-schema.ts']] },
  {
    name: 'docs',
    hint: 'npm run docs:write',
    commands: [
      ['scripts/write-error-docs.mjs', '--check'],
      ['scripts/write-operation-docs.ts', '--check'],
    ],
  },
  { name: 'tests', run: runTests },
  { name: 'examples', needs: ['examples'], commands: listExamples() },
  { name: 'package', needs: ['safepoint/src/index.ts'], commands: [['scripts/check-package.ts', systemNode()]] },
]

for (const stage of chosen.length > 0 ? stages.filter(({ name }) => name === 'tests') : stages) {
  if (!(stage.needs ?? []).every(is)) continue
  const began = Date.now()
  if (!(await (stage.run ?? runCommands)(stage))) {
    console.error(
      `✗ ${stage.name} failed after ${seconds(began)}${stage.hint === undefined ? '' : `; \`${stage.hint}\` mends it`}`,
    )
    if (stage.run === undefined) failed += 1
    break
  }
  console.log(`✓ ${stage.name} ${seconds(began)}`)
  if (stage.run === undefined) passed += 1
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0

/** What a command says is shown only where it fails. */
async function runCommands({ commands }) {
  for (const command of commands) {
    const { code, output } = await runNode(command, false)
    if (code === 0) continue
    process.stdout.write(output)
    return false
  }
  return true
}

async function runTests() {
  fs.rmSync(results, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${results}`]
  const { code } = await runNode([bin('vitest/vitest.mjs'), 'run', ...reporters, ...chosen], true)
  if (!fs.existsSync(results)) {
    failed += 1
    return false
  }
  const { numPassedTests, numFailedTests } = JSON.parse(fs.readFileSync(results, 'utf8'))
  passed += numPassedTests
  // A file that does not load, or a hook that throws, fails the run without failing a test.
  failed += code === 0 ? numFailedTests : Math.max(1, numFailedTests)
  return code === 0
}

function runNode(args, shown) {
  return new Promise((resolve) => {
    let output = ''
    const child = spawn(node.command, [...node.args, ...args], {
      cwd: root,
      stdio: ['ignore', shown ? 'inherit' : 'pipe', shown ? 'inherit' : 'pipe'],
      // Tools started by tools find the project's Node as well.
      env: { ...process.env, PATH: `${nodeFolder}${path.delimiter}${process.env.PATH}` },
    })
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (output += text))
    child.once('error', (error) => resolve({ code: 1, output: `${output}${error.message}\n` }))
    child.once('close', (code) => resolve({ code: code ?? 1, output }))
  })
}

function listExamples() {
  if (!is('examples')) return []
  return fs
    .readdirSync(path.join(root, 'examples'))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => [path.join('examples', file)])
}

/** The Node that users of the library may have: the one npm runs on, not the project's. */
function systemNode() {
  if (process.env.npm_node_execpath !== undefined) return process.env.npm_node_execpath
  const places = (process.env.PATH ?? '').split(path.delimiter).filter((place) => !place.includes('node_modules'))
  return places.map((place) => path.join(place, 'node')).find((file) => fs.existsSync(file)) ?? process.execPath
}

function seconds(began) {
  return `${((Date.now() - began) / 1000).toFixed(1)} s`
}
