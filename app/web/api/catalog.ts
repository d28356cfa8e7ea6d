import { keepPreviousData, queryOptions, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { pantry } from './pantry.ts'

export type { Nutrition, Product, Variant } from '../../client/model.ts'

export const productsKey = ['products'] as const

export function useProducts(search: string) {
  return useInfiniteQuery({
    queryKey: [...productsKey, search],
    queryFn: ({ pageParam }) => pantry.listProducts({ search, cursor: pageParam }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.nextCursor ?? undefined,
    placeholderData: keepPreviousData,
  })
}

/** One product, as it was at most half a minute ago; null: it is not sold. Most often it needs no request. */
export const useProduct = (id: string) => useQuery(productQuery(id)).data

export const productQuery = (id: string) =>
  queryOptions({
    queryKey: [...productsKey, 'of', id],
    queryFn: async () => (await pantry.getProduct(id)) ?? null,
    staleTime: 30_000,
  })
