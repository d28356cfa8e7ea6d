-- Accounts that are closed. Nothing new is made for one: whoever had begun to when it was closed meets this, and whoever closes it
-- waits for those that were first, because each of these rows refers to the account and so holds its key.

create function pantry.account_open() returns trigger language plpgsql as $$
begin
  perform from pantry.account where id = new.account_id and closed_at is null for key share;
  if not found then
    -- serialization_failure: done again from its beginning, the request finds the account closed
    raise exception 'account % is closed', new.account_id using errcode = '40001';
  end if;
  return null;
end
$$;

-- after the insert: of a cart that is there already nothing is inserted, and nothing asked
create trigger cart_account_open after insert on pantry.cart for each row execute function pantry.account_open();
create trigger address_account_open after insert on pantry.address for each row execute function pantry.account_open();
create trigger wish_account_open after insert on pantry.wish for each row execute function pantry.account_open();
create trigger orders_account_open after insert on pantry.orders for each row execute function pantry.account_open();

-- What is left of an address: the country, which taxes go by.
create function pantry.redacted_address(address jsonb) returns jsonb language sql immutable as $$
  select jsonb_build_object('name', '(erased)', 'line1', '(erased)', 'city', '(erased)', 'postalCode', '(erased)', 'country', address -> 'country')
$$;

-- What a closed account has paid for is still sent to it; after that nobody needs to know where it went.
create function pantry.order_redact() returns trigger language plpgsql as $$
begin
  if exists (select from pantry.account where id = new.account_id and closed_at is not null) then
    new.shipping_address := pantry.redacted_address(new.shipping_address);
  end if;
  return new;
end
$$;

create trigger order_redact before update on pantry.orders for each row
  when (old.status = 'completed' and old.fulfilment = 'none' and (new.status <> 'completed' or new.fulfilment <> 'none'))
  execute function pantry.order_redact();

-- sessions that have ended while their access tokens live on: every process asks for these every few seconds
create index session_revoked on pantry.session (revoked_at) where revoked_at is not null;
-- of whom one has to stay
create index account_admin on pantry.account (id) where role = 'admin' and closed_at is null;
