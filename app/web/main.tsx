import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { openSession } from './api/accounts.ts'
import { direction, language } from './messages.ts'
import { Storefront } from './storefront/storefront.tsx'
import './ui/tokens.css'

document.documentElement.lang = language
document.documentElement.dir = direction

const queries = new QueryClient({
  defaultOptions: {
    // The client beneath retries already; a second layer would only keep the reader waiting.
    // Without a connection it fails and says so, instead of waiting without a word.
    queries: { staleTime: 10_000, retry: false, networkMode: 'always', refetchOnReconnect: true },
    mutations: { retry: false, networkMode: 'always' },
  },
})

void openSession()

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no #root')
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Storefront />
    </QueryClientProvider>
  </StrictMode>,
)
