-- A stock-keeping unit names one variant that is sold. One that is no longer sold lets go of its name, so that what was taken back
-- can be made again; stock and orders know variants by their id.
alter table pantry.variant drop constraint variant_sku_key;
create unique index variant_sku on pantry.variant (sku) where archived_at is null;
-- stock movements are asked for by the name on the shelf, also of a variant that is not sold any more
create index variant_by_sku on pantry.variant (sku, id);
