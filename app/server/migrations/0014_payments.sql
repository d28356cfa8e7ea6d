-- How long what gateways told is kept, and what of a refund is still on its way.

-- Null: its time was up. The row stays, so that a late delivery of the same event is still known.
alter table pantry.webhook_event alter column payload drop not null;
-- what the sweep strips, the oldest first
create index webhook_event_payload on pantry.webhook_event (coalesce(applied_at, received_at))
  where payload is not null and state in ('applied', 'ignored');

alter table pantry.payment
  -- of refunded_amount, what the gateway has taken on and not done yet: it may fail
  add column pending_amount bigint not null default 0,
  add constraint payment_pending check (pending_amount between 0 and refunded_amount);

-- what the sweep reads
drop index pantry.payment_watched;
create index payment_watched on pantry.payment (looked_at nulls first)
  where handled_by is null and (
    status in ('requires_action', 'processing', 'refunding') or page_open or (unwanted and status = 'captured')
    or owed_amount > 0 or pending_amount > 0 or look_at is not null
  );
