-- Carts that an import has brought, any number of them for an account. They are folded into the active one by cart.tidy and
-- stay as `merged`, as a cart does that became an order: what was in it can still be told.

alter table pantry.cart drop constraint cart_state;
alter table pantry.cart add constraint cart_state check (state in ('active', 'ordered', 'merged', 'imported'));
-- Whether there are any is asked at each read of a cart.
create index cart_imported on pantry.cart (account_id, id) where state = 'imported';
