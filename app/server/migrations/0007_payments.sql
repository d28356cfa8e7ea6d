-- Payments from every side: who is in charge of one, what its page was, what was taken and given back, and who did what to an order.

alter table pantry.payment
  -- the run that is under way with it: until that has ended, whoever else brings news of it waits
  add column handled_by uuid,
  -- the gateway's name for the page; stays when the page is closed, because some gateways take money there all the same
  add column page_id text,
  add column page_until timestamptz,
  -- somebody may still pay on that page
  add column page_open boolean not null default false,
  -- nobody waits for its money any more: what comes all the same goes back, and is never the order's payment
  add column unwanted boolean not null default false,
  -- minor units, as the gateway says
  add column captured_amount bigint not null default 0,
  add column refunded_amount bigint not null default 0,
  -- when the sweep last asked the gateway
  add column looked_at timestamptz;

update pantry.payment set
  page_id = checkout ->> 'id',
  page_until = (checkout ->> 'expiresAt')::timestamptz,
  page_open = checkout ->> 'id' is not null and status = 'requires_action',
  captured_amount = case when status in ('captured', 'refunding', 'refunded') then amount else 0 end,
  refunded_amount = case when status = 'refunded' then amount else 0 end;

alter table pantry.payment
  add constraint payment_refunded check (refunded_amount between 0 and captured_amount);

-- Who asks the gateway how a payment stands changes nothing of the payment.
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
    else false
  end) then
    raise exception 'a payment cannot go from % to %', old.status, new.status using errcode = 'SP002';
  end if;
  return new;
end
$$;

drop index pantry.payment_live;
create unique index payment_live on pantry.payment (order_id)
  where status in ('created', 'requires_action', 'processing', 'captured', 'refunding') and not unwanted;
-- news of a page finds its payment by this, also when the page was given up
create unique index payment_of_page on pantry.payment (gateway, page_id) where page_id is not null;
-- what the sweep reads
create index payment_watched on pantry.payment (looked_at nulls first)
  where handled_by is null and (status in ('requires_action', 'processing') or page_open or (unwanted and status = 'captured'));

-- who made the last change: an account, or the shop itself where it is null
alter table pantry.orders add column actor text;
alter table pantry.order_history add column actor text;

create or replace function pantry.order_remember() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.status = old.status then
    return null;
  end if;
  insert into pantry.order_history (order_id, seq, from_status, to_status, reason, note, actor)
  select new.id, coalesce(max(seq), 0) + 1, case when tg_op = 'UPDATE' then old.status end, new.status, new.reason, new.note, new.actor
  from pantry.order_history where order_id = new.id;
  return null;
end
$$;

-- what an administrator lists
create index orders_by_status on pantry.orders (status, id desc);
