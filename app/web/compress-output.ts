import fs from 'node:fs'
import path from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'

/** Below this many bytes a compressed file saves nothing that a packet would notice. */
const worthwhile = 1024

/**
 * Lays `.br` and `.gz` beside what was built, which the server sends to whoever takes them: compressed once, and harder than
 * there is time for in an answer. Both, as browsers take Brotli over HTTPS and from the own machine only.
 */
export function compressOutput(): Plugin {
  return {
    name: 'compress-output',
    apply: 'build',
    writeBundle({ dir }, bundle) {
      for (const name of Object.keys(bundle)) {
        if (!/\.(js|css|html|svg)$/.test(name)) continue
        const file = path.join(dir ?? '.', name)
        const content = fs.readFileSync(file)
        if (content.length < worthwhile) continue
        fs.writeFileSync(`${file}.br`, brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }))
        fs.writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }))
      }
    },
  }
}
