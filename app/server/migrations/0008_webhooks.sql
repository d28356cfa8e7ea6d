-- What gateways tell: each event once, whatever becomes of it. Rows are hints of which payment to ask about; no state is
-- ever taken from them.

create table pantry.webhook_event (
  id uuid primary key,
  gateway text not null,
  -- the gateway's id of the event, the same on every delivery
  event_id text not null,
  type text not null,
  -- what it names, in words of the gateway; any of them may be missing, or not ours
  gateway_reference text,
  page_id text,
  order_id text,
  -- the bytes as they were received and verified
  payload bytea not null,
  state text not null,
  -- raised by each replay, so that it is a try of its own
  round integer not null default 1,
  tries integer not null default 0,
  last_error text,
  -- when it is tried (again) while it waits
  due_at timestamptz not null default clock_timestamp(),
  -- when the gateway says that it happened
  occurred_at timestamptz not null,
  received_at timestamptz not null default clock_timestamp(),
  applied_at timestamptz,
  constraint webhook_event_once unique (gateway, event_id),
  -- `ignored`: of no interest to a shop. `dead`: given up, for a human
  constraint webhook_event_state check (state in ('waiting', 'applied', 'ignored', 'dead')),
  constraint webhook_event_applied check ((state = 'applied') = (applied_at is not null)),
  constraint webhook_event_tries check (tries >= 0 and round >= 1)
) with (fillfactor = 85);

-- what the job reads, the longest due first
create index webhook_event_due on pantry.webhook_event (due_at, id) where state = 'waiting';
-- what a payment that has just got its names looks for
create index webhook_event_for_order on pantry.webhook_event (gateway, order_id) where state = 'waiting';
create index webhook_event_for_payment on pantry.webhook_event (gateway, gateway_reference) where state = 'waiting';
create index webhook_event_for_page on pantry.webhook_event (gateway, page_id) where state = 'waiting';
-- the administration's list
create index webhook_event_by_state on pantry.webhook_event (state, id desc);
