import type { ProblemTable } from 'safepoint/fastify'

/** The codes of this domain as they are told over HTTP. */
export const inventoryProblems: ProblemTable = {
  variant_not_found: {
    status: 404,
    title: { en: 'No such variant', he: 'אין גרסה כזו' },
    detail: { en: 'There is no such variant, or it is of another product.', he: 'אין גרסה כזו, או שהיא של מוצר אחר.' },
    remedy: 'Read the product afresh.',
  },
  stock_reserved: {
    status: 409,
    title: { en: 'Reserved, or not there', he: 'שמור, או שאינו במלאי' },
    detail: {
      en: '{onHand} are on hand, of which {reserved} are reserved for orders: at most {available} can be taken out. Nothing was moved.',
      he: 'במלאי {onHand}, מהם {reserved} שמורים להזמנות: אפשר להוציא עד {available}. דבר לא הועבר.',
    },
    remedy: 'Take out less, or cancel orders that hold it first.',
  },
  stock_limit: {
    status: 422,
    title: { en: 'Too much stock', he: 'מלאי גדול מדי' },
    detail: {
      en: '{onHand} are on hand; with {delta} more it would be past the limit. Nothing was moved.',
      he: 'במלאי {onHand}; בתוספת {delta} תהיה חריגה מהמגבלה. דבר לא הועבר.',
    },
    remedy: 'Check the quantity.',
  },
}
