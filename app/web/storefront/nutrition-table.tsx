import type { Nutrition } from '../api/catalog.ts'
import { messages } from '../messages.ts'

export function NutritionTable({ nutrition }: { readonly nutrition: Nutrition }) {
  const text = messages.product
  const rows = [
    [text.energy, text.kcal(nutrition.kcal)],
    [text.protein, text.grams(nutrition.protein)],
    [text.carbohydrate, text.grams(nutrition.carbohydrate)],
    [text.sugar, text.grams(nutrition.sugar)],
    [text.fat, text.grams(nutrition.fat)],
    [text.fibre, text.grams(nutrition.fibre)],
    [text.salt, text.grams(nutrition.salt)],
  ] as const
  return (
    <details className="group mt-2 text-sm">
      <summary className="list-none text-muted underline-offset-4 hover:underline [&::-webkit-details-marker]:hidden">
        {text.kcal(nutrition.kcal)} · {text.nutrition}
      </summary>
      <table className="mt-2 w-full">
        <caption className="pb-1 text-start text-muted">{text.per(nutrition.per)}</caption>
        <tbody>
          {rows.map(([label, value]) => (
            <tr key={label} className="border-t border-line">
              <th scope="row" className="py-1 text-start font-normal">
                {label}
              </th>
              <td className="py-1 text-end tabular-nums">{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  )
}
