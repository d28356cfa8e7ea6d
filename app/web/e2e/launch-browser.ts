import chromiumArchive, { inflate } from '@sparticuz/chromium'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { chromium, type Browser } from 'playwright'

const installed = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** The machine's own Chromium, else the one that comes with the test dependencies. */
export async function launchBrowser(): Promise<Browser> {
  // Without a sandbox, because continuous integration often runs as root, where Chromium has none. It opens our own pages only.
  const args = ['--no-sandbox']
  const own = installed.find((file) => fs.existsSync(file))
  if (own !== undefined) return chromium.launch({ executablePath: own, args })
  const folder = await unpack()
  const executablePath = path.join(folder, 'chromium')
  try {
    return await chromium.launch({ executablePath, args })
  } catch (error) {
    if (!String(error).includes('error while loading shared libraries')) throw error
    const libraries = path.join(folder, 'al2023', 'lib')
    return chromium.launch({
      executablePath,
      args,
      env: { ...process.env, LD_LIBRARY_PATH: libraries } as Record<string, string>,
    })
  }
}

/** Unpacked once a user and version, and moved into place whole, so that nobody starts half a browser. */
async function unpack(): Promise<string> {
  const require = createRequire(import.meta.url)
  const archive = path.dirname(path.dirname(require.resolve('@sparticuz/chromium')))
  const { version } = JSON.parse(fs.readFileSync(path.join(archive, 'package.json'), 'utf8')) as { version: string }
  const folder = path.join(os.tmpdir(), `pantry-chromium-${process.getuid?.() ?? 0}-${version}`)
  if (fs.existsSync(folder)) return folder
  const making = fs.mkdtempSync(`${folder}-`)
  const before = process.env.TMPDIR
  process.env.TMPDIR = making
  try {
    await chromiumArchive.executablePath()
    await inflate(path.join(archive, 'bin', 'al2023.tar.br'))
  } finally {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  }
  try {
    fs.renameSync(making, folder)
  } catch (error) {
    fs.rmSync(making, { recursive: true, force: true })
    if (!fs.existsSync(folder)) throw error
  }
  return folder
}
