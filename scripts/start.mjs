// `npm start` and, with --watch, `npm run dev`. Plain JavaScript for Node 20; hands over to the project's Node.
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { ensureInstalled, giveUp, projectNode, root } from './installation.mjs'

const watching = process.argv.includes('--watch')
const rest = process.argv.slice(2).filter((arg) => arg !== '--watch')
const web = path.join(root, 'app', 'web')
const vite = path.join(root, 'node_modules', 'vite', 'bin', 'vite.js')

ensureInstalled()
const node = projectNode()
const main = path.join(root, 'app', 'server', 'main.ts')
if (!fs.existsSync(main)) giveUp('There is no app/server/main.ts to start.')
buildWeb()

let stopping = false
let server = startServer()
const helpers = watching ? [startWebWatch()].filter(Boolean) : []
if (watching) watchSources()

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stopping = true
    for (const helper of helpers) helper.kill('SIGTERM')
    if (hasEnded(server)) process.exit(0)
    server.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal)
  })
}
// npm passes SIGTERM and SIGINT on, but nobody tells us when npm itself is killed.
const parent = process.ppid
setInterval(() => process.ppid === parent || process.emit('SIGTERM'), 500).unref()

function startServer() {
  const child = spawn(
    node.command,
    [...node.args, '--import', pathToFileURL(path.join(root, 'scripts', 'end-with-parent.mjs')).href, main, ...rest],
    {
      cwd: root,
      // Out of the terminal's group: Ctrl-C reaches this process, which passes it on, once.
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  )
  child.once('error', (error) => giveUp(`The server could not be started: ${error.message}`))
  child.once('exit', (code, signal) => {
    if (watching && !stopping) {
      if (child.restart) server = startServer()
      else console.log(`The server ended (${code ?? signal}); it is started again on the next change.`)
      return
    }
    process.exit(code ?? 128 + (signal === 'SIGKILL' ? 9 : 15))
  })
  return child
}

function buildWeb() {
  if (!fs.existsSync(path.join(web, 'index.html'))) return
  const sources = [
    web,
    path.join(root, 'app', 'client'),
    path.join(root, 'safepoint', 'src', 'client'),
    path.join(root, 'package-lock.json'),
  ]
  const built = fs.statSync(path.join(web, 'dist', 'index.html'), { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (built > Math.max(...sources.map(newest))) return
  const began = Date.now()
  console.log('Building the web page …')
  const done = spawnSync(node.command, [vite, 'build', '--logLevel', 'warn'], { cwd: web, stdio: 'inherit' })
  if (done.status !== 0) giveUp('The web page could not be built.', done.status ?? 1)
  console.log(`Built in ${((Date.now() - began) / 1000).toFixed(1)} s.`)
}

function newest(place) {
  const found = fs.statSync(place, { throwIfNoEntry: false })
  if (found === undefined) return 0
  if (!found.isDirectory()) return found.mtimeMs
  const inside = fs.readdirSync(place).filter((name) => name !== 'dist' && name !== 'node_modules')
  // The folder's own time tells of deletions.
  return Math.max(found.mtimeMs, ...inside.map((name) => newest(path.join(place, name))))
}

function startWebWatch() {
  if (!fs.existsSync(path.join(web, 'index.html'))) return undefined
  return spawn(node.command, [vite, 'build', '--watch', '--logLevel', 'warn'], {
    cwd: web,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}

function watchSources() {
  let timer
  const changed = (_event, file) => {
    if (!/\.(ts|sql|json)$/.test(file ?? '') || file.endsWith('.test.ts')) return
    clearTimeout(timer)
    timer = setTimeout(restart, 100)
  }
  for (const place of ['app/server', 'app/simulators', 'safepoint/src', 'safepoint/migrations']) {
    if (fs.existsSync(path.join(root, place))) fs.watch(path.join(root, place), { recursive: true }, changed)
  }
}

function restart() {
  if (stopping) return
  if (hasEnded(server)) {
    server = startServer()
    return
  }
  server.restart = true
  server.kill('SIGTERM')
}

function hasEnded(child) {
  return child.exitCode !== null || child.signalCode !== null
}
