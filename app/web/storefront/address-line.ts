import type { NewAddress } from '../api/addresses.ts'
import { nameCountry } from './countries.ts'

/** All of an address but the name, in one line. */
export function addressLine({ line1, line2, city, region, postalCode, country }: NewAddress): string {
  return [line1, line2, city, region, postalCode, nameCountry(country)].filter(Boolean).join(', ')
}
