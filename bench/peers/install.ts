import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = new URL('../', import.meta.url)

/** Installs the peers into bench/node_modules where they are not, or are others than the lock file says. */
export function installPeers(): void {
  if (isInstalled()) return
  console.log('Installing the peers into bench/node_modules (nothing else of the project needs them) …')
  const npm = process.env.npm_execpath
  const { status, error } = spawnSync(
    npm === undefined ? 'npm' : process.env.npm_node_execpath!,
    [...(npm === undefined ? [] : [npm]), 'ci', '--prefix', fileURLToPath(folder), '--no-audit', '--no-fund'],
    { stdio: 'inherit', env: { ...process.env, npm_config_loglevel: 'error' } },
  )
  if (error ?? status) {
    console.error(`The peers could not be installed (${error?.message ?? `npm ended with ${status}`}): no comparison.`)
    process.exit(1)
  }
}

function isInstalled(): boolean {
  const record = new URL('node_modules/.package-lock.json', folder)
  if (!existsSync(record)) return false
  const wanted = versions(new URL('package-lock.json', folder))
  const present = versions(record)
  return Object.entries(wanted).every(([place, version]) => place === '' || present[place] === version)
}

function versions(file: URL): Record<string, string> {
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, { version: string }> }
  return Object.fromEntries(Object.entries(packages).map(([place, { version }]) => [place, version]))
}
