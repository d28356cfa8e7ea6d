-- Orders, their payments, and the mails that tell of them. The moves of orders.ts and payments.ts are enforced here too,
-- and each writes its history row: there is no way past either.

create table pantry.orders (
  id uuid primary key,
  account_id uuid not null references pantry.account (id),
  -- a cart becomes one order, whoever asks how often
  cart_id uuid not null unique references pantry.cart (id),
  status text not null,
  reason text not null,
  -- the customer's own words with the last change
  note text,
  fulfilment text not null default 'none',
  version integer not null default 1,
  total bigint not null,
  currency text not null,
  -- copies: what happens to the customer's address book later changes no order
  shipping_address jsonb not null,
  billing_address jsonb not null,
  reserved_until timestamptz not null,
  -- the run of order.cancel or order.expire that is giving money back: until it has ended nobody else pays, ships or cancels
  closing_by uuid,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint orders_status check (
    status in ('pending', 'awaiting_payment', 'processing', 'payment_verified', 'completed', 'failed', 'error', 'cancelled')
  ),
  constraint orders_fulfilment check (fulfilment in ('none', 'shipped')),
  constraint orders_shipped check (fulfilment = 'none' or (status = 'completed' and closing_by is null)),
  constraint orders_total check (total >= 0)
);
create index orders_of_account on pantry.orders (account_id, id desc);
-- what the sweep reads: unpaid orders, soonest first
create index orders_unpaid on pantry.orders (reserved_until) where status in ('pending', 'awaiting_payment', 'failed');

create table pantry.order_line (
  id uuid primary key,
  order_id uuid not null references pantry.orders (id) on delete cascade,
  position integer not null,
  product_id uuid not null,
  variant_id uuid not null,
  -- name and price as they were
  name text not null,
  quantity integer not null,
  unit_price bigint not null,
  unique (order_id, position),
  constraint order_line_quantity check (quantity > 0),
  constraint order_line_price check (unit_price >= 0)
);

create table pantry.order_history (
  order_id uuid not null references pantry.orders (id) on delete cascade,
  seq integer not null,
  from_status text,
  to_status text not null,
  reason text not null,
  note text,
  at timestamptz not null default clock_timestamp(),
  primary key (order_id, seq)
);

create function pantry.order_move() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.status <> 'pending' then
      raise exception 'an order begins as pending, not as %', new.status using errcode = 'SP002';
    end if;
  else
    if new.id <> old.id or new.account_id <> old.account_id or new.cart_id <> old.cart_id
      or new.total <> old.total or new.currency <> old.currency then
      raise exception 'an order keeps its customer, its cart and its total' using errcode = 'SP002';
    end if;
    new.version := old.version + 1;
    new.updated_at := clock_timestamp();
    if new.status = old.status then
      return new;
    end if;
    if not (case old.status
      when 'pending' then new.status in ('awaiting_payment', 'cancelled')
      when 'awaiting_payment' then new.status in ('processing', 'failed', 'cancelled')
      when 'processing' then new.status in ('payment_verified', 'failed', 'error')
      when 'payment_verified' then new.status in ('completed', 'error')
      when 'completed' then new.status in ('cancelled')
      when 'failed' then new.status in ('awaiting_payment', 'processing')
      when 'error' then new.status in ('processing', 'cancelled')
      else false
    end) then
      raise exception 'an order cannot go from % to %', old.status, new.status using errcode = 'SP002';
    end if;
  end if;
  return new;
end
$$;

create trigger order_move before insert or update on pantry.orders for each row execute function pantry.order_move();

create function pantry.order_remember() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.status = old.status then
    return null;
  end if;
  insert into pantry.order_history (order_id, seq, from_status, to_status, reason, note)
  select new.id, coalesce(max(seq), 0) + 1, case when tg_op = 'UPDATE' then old.status end, new.status, new.reason, new.note
  from pantry.order_history where order_id = new.id;
  return null;
end
$$;

create trigger order_remember after insert or update on pantry.orders for each row execute function pantry.order_remember();

create table pantry.payment (
  id uuid primary key,
  order_id uuid not null references pantry.orders (id),
  gateway text not null,
  status text not null,
  amount bigint not null,
  currency text not null,
  -- the gateway's name for it, and where the customer goes on
  gateway_reference text,
  checkout jsonb,
  -- the gateway's word for why it was declined
  decline_code text,
  version integer not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint payment_status check (
    status in ('created', 'requires_action', 'processing', 'captured', 'failed', 'voided', 'refunding', 'refunded')
  ),
  constraint payment_amount check (amount >= 0)
);
-- two confirmations at once: one of them meets this
create unique index payment_live on pantry.payment (order_id)
  where status in ('created', 'requires_action', 'processing', 'captured', 'refunding');
-- what a gateway took is one payment here, whether its answer, the browser or a webhook tells of it first
create unique index payment_of_gateway on pantry.payment (gateway, gateway_reference) where gateway_reference is not null;
create index payment_of_order on pantry.payment (order_id, id);

create table pantry.payment_history (
  payment_id uuid not null references pantry.payment (id) on delete cascade,
  seq integer not null,
  from_status text,
  to_status text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (payment_id, seq)
);

create function pantry.payment_move() returns trigger language plpgsql as $$
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

create trigger payment_move before insert or update on pantry.payment for each row execute function pantry.payment_move();

create function pantry.payment_remember() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and new.status = old.status then
    return null;
  end if;
  insert into pantry.payment_history (payment_id, seq, from_status, to_status)
  select new.id, coalesce(max(seq), 0) + 1, case when tg_op = 'UPDATE' then old.status end, new.status
  from pantry.payment_history where payment_id = new.id;
  return null;
end
$$;

create trigger payment_remember after insert or update on pantry.payment for each row execute function pantry.payment_remember();

-- The outbox: a mail exists exactly if what it tells of does. `once` makes it one mail, whoever writes it again.
create table pantry.mail (
  id uuid primary key,
  once text not null unique,
  account_id uuid not null references pantry.account (id),
  template text not null,
  data jsonb not null,
  state text not null default 'queued',
  created_at timestamptz not null default clock_timestamp(),
  sent_at timestamptz,
  constraint mail_state check (state in ('queued', 'sent', 'failed')),
  constraint mail_sent check ((state = 'sent') = (sent_at is not null))
);
create index mail_queued on pantry.mail (created_at) where state = 'queued';
