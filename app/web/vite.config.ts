import tailwind from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import { defaultClientConditions, defineConfig } from 'vite'
import { compressOutput } from './compress-output.ts'

const server = process.env.PANTRY_URL ?? 'http://127.0.0.1:3000'
const toServer = { target: server, changeOrigin: false }

/** `vite build app/web` writes `app/web/dist`, which the server serves; `vite app/web` serves the sources and passes the API on. */
export default defineConfig({
  plugins: [react(), tailwind(), compressOutput()],
  resolve: { conditions: ['source', ...defaultClientConditions] },
  build: { outDir: 'dist', emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0, sourcemap: true },
  server: { host: '127.0.0.1', proxy: { '/api': toServer, '/images': toServer, '/errors': toServer } },
})
