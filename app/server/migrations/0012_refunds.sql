-- Money on its way back: which run gives it back, by the names under which a human's decision reaches it; what is owed; and
-- when the gateway is to be asked next.

alter table pantry.payment
  -- of the run in `handled_by`, as the engine knows it
  add column handled_scope text,
  add column handled_key text,
  -- how much that run gives back, where it is not all that is left
  add column refund_part bigint,
  -- minor units that are to go back and are not on their way: their refund failed after it had been counted, or was turned down
  add column owed_amount bigint not null default 0,
  -- minor units that went back past the gateway, as a human says: it does not count them
  add column aside_amount bigint not null default 0,
  -- when to ask the gateway, because something made it worth a look
  add column look_at timestamptz,
  add constraint payment_owed check (owed_amount >= 0),
  add constraint payment_aside check (aside_amount between 0 and refunded_amount);

alter table pantry.orders
  -- of the run in `closing_by`
  add column closing_scope text,
  add column closing_key text;

-- As before, and: what was refunded may come back, because a refund fails days after it was made.
create or replace function pantry.payment_move() returns trigger language plpgsql as $$
declare
  unlooked pantry.payment;
begin
  if tg_op = 'INSERT' then
    if new.status not in ('created', 'processing') then
      raise exception 'a payment does not begin as %', new.status using errcode = 'SP002';
    end if;
    return new;
  end if;
  if new.id <> old.id or new.order_id <> old.order_id or new.gateway <> old.gateway
    or new.amount <> old.amount or new.currency <> old.currency then
    raise exception 'a payment keeps its order, its gateway and its amount' using errcode = 'SP002';
  end if;
  unlooked := new;
  unlooked.looked_at := old.looked_at;
  unlooked.look_at := old.look_at;
  if unlooked is not distinct from old then
    return new;
  end if;
  new.version := old.version + 1;
  new.updated_at := clock_timestamp();
  if new.status = old.status then
    return new;
  end if;
  if not (case old.status
    when 'created' then new.status in ('requires_action', 'processing', 'failed', 'voided')
    when 'requires_action' then new.status in ('processing', 'captured', 'failed', 'voided')
    when 'processing' then new.status in ('requires_action', 'captured', 'failed', 'voided')
    when 'captured' then new.status in ('refunding')
    when 'failed' then new.status in ('processing', 'captured')
    when 'voided' then new.status in ('captured')
    when 'refunding' then new.status in ('refunded', 'captured')
    when 'refunded' then new.status in ('captured')
    else false
  end) then
    raise exception 'a payment cannot go from % to %', old.status, new.status using errcode = 'SP002';
  end if;
  return new;
end
$$;

-- what the sweep reads
drop index pantry.payment_watched;
create index payment_watched on pantry.payment (looked_at nulls first)
  where handled_by is null and (
    status in ('requires_action', 'processing', 'refunding') or page_open or (unwanted and status = 'captured')
    or owed_amount > 0 or look_at is not null
  );

-- what may wait for a human: a handful of rows at any time
create index payment_handled on pantry.payment (id) where handled_by is not null;
create index payment_owing on pantry.payment (id) where owed_amount > 0;
create index orders_closing on pantry.orders (id) where closing_by is not null;
