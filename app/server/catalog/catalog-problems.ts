import type { ProblemTable } from 'safepoint/fastify'

/** The codes of the catalogue's administration as they are told over HTTP. */
export const catalogProblems: ProblemTable = {
  sku_taken: {
    status: 409,
    title: { en: 'SKU in use', he: 'המק"ט כבר בשימוש' },
    detail: {
      en: 'Another variant that is sold has this stock-keeping unit; nothing was changed.',
      he: 'גרסה אחרת הנמכרת כעת משתמשת במק"ט זה; לא שונה דבר.',
    },
    remedy: 'Choose another SKU, or archive the variant that has it.',
  },
  variant_required: {
    status: 422,
    title: { en: 'A product needs a variant', he: 'למוצר דרושה גרסה' },
    detail: {
      en: 'A product has at least one variant that is sold; nothing was changed.',
      he: 'למוצר יש לפחות גרסה אחת הנמכרת; לא שונה דבר.',
    },
    remedy: 'Add another variant in the same change, or archive the whole product.',
  },
  variant_limit: {
    status: 422,
    title: { en: 'Too many variants', he: 'יותר מדי גרסאות' },
    detail: { en: 'A product has at most {limit} variants.', he: 'למוצר עד {limit} גרסאות.' },
    remedy: 'Archive one that is not needed, or make another product.',
  },
}
