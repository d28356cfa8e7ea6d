-- What a customer's bank takes back, how long a refund has been on its way, and what is cleared away once it is of no use.

-- A dispute (chargeback) of a payment, as its gateway tells when it is asked. It moves no money of ours: what was captured and
-- refunded stays as it is, and what a bank holds or has taken is counted beside it.
create table pantry.dispute (
  gateway text not null,
  -- the gateway's name for it
  dispute_id text not null,
  payment_id uuid not null references pantry.payment (id),
  status text not null,
  -- minor units of currency, which is the bank's choice
  amount bigint not null,
  currency text not null,
  -- the gateway's word
  reason text,
  -- when an answer has to be there
  respond_by timestamptz,
  opened_at timestamptz not null,
  -- raised by each change, so that an answer of the gateway that is older than what is known changes nothing
  version integer not null default 1,
  updated_at timestamptz not null default clock_timestamp(),
  -- when the gateway was last asked
  looked_at timestamptz not null default clock_timestamp(),
  primary key (gateway, dispute_id),
  constraint dispute_status check (status in ('inquiry', 'open', 'won', 'lost', 'closed')),
  constraint dispute_amount check (amount >= 0)
);
create index dispute_of_payment on pantry.dispute (payment_id);
-- what waits for a human, and is asked after
create index dispute_undecided on pantry.dispute (looked_at) where status in ('inquiry', 'open');

-- an event that is about a dispute names it
alter table pantry.webhook_event add column dispute_id text;

alter table pantry.payment
  -- minor units that a bank holds, or has taken, in disputes: they are not there to be given back
  add column disputed_amount bigint not null default 0,
  -- since when money has been on its way back
  add column refunding_since timestamptz,
  -- when a human was told that it takes long
  add column refund_alarm_at timestamptz,
  add constraint payment_disputed check (disputed_amount >= 0);

update pantry.payment set refunding_since = updated_at where status = 'refunding' or pending_amount > 0;

-- As before, and: since when money has been on its way back is known by its row alone.
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
  unlooked.refund_alarm_at := old.refund_alarm_at;
  if unlooked is not distinct from old then
    return new;
  end if;
  new.version := old.version + 1;
  new.updated_at := clock_timestamp();
  if new.status = 'refunding' or new.pending_amount > 0 then
    new.refunding_since := coalesce(old.refunding_since, clock_timestamp());
  else
    new.refunding_since := null;
    new.refund_alarm_at := null;
  end if;
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

-- a handful of rows at any time
create index payment_refunding on pantry.payment (refunding_since) where refunding_since is not null;

-- what is over, the oldest first
create index session_expiry on pantry.session (expires_at);
create index password_reset_expiry on pantry.password_reset (expires_at);
