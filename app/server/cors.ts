import { ConfigError } from './config.ts'

/** Hosts that give a subdomain to whoever asks: a wildcard under one of these admits every customer of it. */
const sharedHosting = [
  'amplifyapp.com',
  'appspot.com',
  'azurestaticapps.net',
  'azurewebsites.net',
  'cloudfront.net',
  'deno.dev',
  'firebaseapp.com',
  'fly.dev',
  'github.io',
  'gitlab.io',
  'glitch.me',
  'herokuapp.com',
  'netlify.app',
  'ngrok-free.app',
  'ngrok.io',
  'onrender.com',
  'pages.dev',
  'railway.app',
  'replit.app',
  'surge.sh',
  'trycloudflare.com',
  'vercel.app',
  'web.app',
  'workers.dev',
]

/**
 * Whether an `Origin` may read answers. An entry is an origin, or one with `*` for exactly one label: `https://*.example.com`
 * admits `https://shop.example.com`, and neither `https://a.b.example.com` nor `https://example.com.evil.io`. `null` is
 * never admitted. Throws {@link ConfigError} for what is no origin, and for wildcards that admit strangers.
 */
export function originTest(
  entries: readonly string[],
  { allowSharedHosting }: { readonly allowSharedHosting: boolean },
): (origin: string) => boolean {
  const exact = new Set<string>()
  const wildcards: Array<{ readonly scheme: string; readonly suffix: string }> = []
  for (const entry of entries) {
    const [, scheme, starred, host] =
      /^(https?:\/\/)(\*\.)?([a-z0-9.-]+(?::\d+)?)$/.exec(entry.toLowerCase().replace(/\/$/, '')) ?? []
    if (scheme === undefined || host === undefined) {
      throw new ConfigError(
        `CORS_ORIGINS: ${JSON.stringify(entry)} is no origin such as https://shop.example.com or https://*.example.com.`,
      )
    }
    if (starred === undefined) {
      exact.add(`${scheme}${host}`)
      continue
    }
    const name = host.replace(/:\d+$/, '')
    const shared = sharedHosting.find((suffix) => name === suffix)
    if (shared !== undefined && !allowSharedHosting) {
      throw new ConfigError(
        `CORS_ORIGINS: ${entry} admits every customer of ${shared}. Name your own hosts, or set CORS_SHARED_HOSTING=allow if that is meant.`,
      )
    }
    if (!name.includes('.')) throw new ConfigError(`CORS_ORIGINS: ${entry} admits a whole top-level domain.`)
    wildcards.push({ scheme, suffix: `.${host}` })
  }
  return (origin) => {
    const given = origin.toLowerCase()
    if (exact.has(given)) return true
    return wildcards.some(({ scheme, suffix }) => {
      if (!given.startsWith(scheme) || !given.endsWith(suffix)) return false
      return /^[a-z0-9-]+$/.test(given.slice(scheme.length, given.length - suffix.length))
    })
  }
}
