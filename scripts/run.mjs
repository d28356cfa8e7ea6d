// node scripts/run.mjs <file.ts> [arguments]: installs what is missing and runs the file under the project's Node.
import { spawnSync } from 'node:child_process'
import { ensureInstalled, projectNode, root } from './installation.mjs'

ensureInstalled()
const node = projectNode()
const { status } = spawnSync(node.command, [...node.args, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' })
process.exitCode = status ?? 1
