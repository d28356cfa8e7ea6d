import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
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
