-- The catalog and the outbox that the relay reads. Times are milliseconds since 1970, prices ten-thousandths.

CREATE TABLE souk.products (
  id uuid NOT NULL,
  price bigint NOT NULL,
  version bigint NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  stock integer NOT NULL,
  low_stock_threshold integer,
  low_stock boolean NOT NULL,
  -- Compared byte by byte, whatever the database's locale.
  seller_id text COLLATE "C" NOT NULL,
  category text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  sku text COLLATE "C",
  description text COLLATE "C",
  CONSTRAINT products_id PRIMARY KEY (id)
);
CREATE UNIQUE INDEX products_sku ON souk.products (sku, seller_id) WHERE sku IS NOT NULL;
-- Each index costs every write: one for each order, one for each filter; a list that wants both is planned by how many
-- rows the filter leaves (src/list.rs).
CREATE INDEX products_created_at ON souk.products (created_at, id);
CREATE INDEX products_name ON souk.products (name, id);
CREATE INDEX products_stock ON souk.products (stock, id);
CREATE INDEX products_seller ON souk.products (seller_id, created_at, id);
CREATE INDEX products_category ON souk.products (category, created_at, id);
CREATE INDEX products_low ON souk.products (created_at, id) WHERE low_stock;
CREATE INDEX products_seller_low ON souk.products (seller_id, created_at, id) WHERE low_stock;

-- What is left of a deleted product: versions go on from here if its id ever comes back.
CREATE TABLE souk.tombstones (
  id uuid CONSTRAINT tombstones_id PRIMARY KEY,
  version bigint NOT NULL
);

-- Answers of requests by their key, stored with what they did.
CREATE TABLE souk.idempotency_keys (
  key text COLLATE "C" CONSTRAINT idempotency_keys_key PRIMARY KEY,
  fingerprint bytea NOT NULL,
  status smallint NOT NULL,
  etag text,
  location text,
  body bytea NOT NULL,
  stored_at bigint NOT NULL
);
CREATE INDEX idempotency_keys_stored_at ON souk.idempotency_keys (stored_at);

-- Events on their way to the log, in four leaves by turns: rows are inserted, never updated or deleted; a leaf whose rows
-- are all published is truncated. seq is drawn once the product's row is locked, so it orders a product's events; which
-- rows are new is told by comparing snapshots, never by seq alone.
CREATE SEQUENCE souk.outbox_seq AS bigint CACHE 1;
CREATE TABLE souk.outbox_0 (
  seq bigint NOT NULL,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  product_id uuid NOT NULL,
  payload bytea NOT NULL
) WITH (fillfactor = 100, autovacuum_enabled = false); -- freezing goes on regardless; nothing else is to be gained
CREATE TABLE souk.outbox_1 (LIKE souk.outbox_0 INCLUDING DEFAULTS) WITH (fillfactor = 100, autovacuum_enabled = false);
CREATE TABLE souk.outbox_2 (LIKE souk.outbox_0 INCLUDING DEFAULTS) WITH (fillfactor = 100, autovacuum_enabled = false);
CREATE TABLE souk.outbox_3 (LIKE souk.outbox_0 INCLUDING DEFAULTS) WITH (fillfactor = 100, autovacuum_enabled = false);
CREATE INDEX outbox_0_xid ON souk.outbox_0 (xid, seq);
CREATE INDEX outbox_1_xid ON souk.outbox_1 (xid, seq);
CREATE INDEX outbox_2_xid ON souk.outbox_2 (xid, seq);
CREATE INDEX outbox_3_xid ON souk.outbox_3 (xid, seq);

-- The leaf that is written to: outbox_<epoch % 4>. The relay moves it on.
CREATE TABLE souk.outbox_epoch (
  one boolean NOT NULL DEFAULT true CONSTRAINT outbox_epoch_one PRIMARY KEY CHECK (one),
  epoch bigint NOT NULL
);
INSERT INTO souk.outbox_epoch (epoch) VALUES (0);

-- Who else reads the outbox: everything visible in `position` (a pg_snapshot) is read. A leaf may be truncated once
-- no reader has a row of it before it: NOT EXISTS (... WHERE NOT pg_visible_in_snapshot(xid, position::pg_snapshot)).
CREATE TABLE souk.outbox_readers (
  name text CONSTRAINT outbox_readers_name PRIMARY KEY,
  position text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
INSERT INTO souk.outbox_readers (name, position) VALUES ('search', pg_current_snapshot()::text);

-- Where the relay was, for people and for a start without the log; what counts lies in the log.
CREATE TABLE souk.relay_hint (
  transactional_id text CONSTRAINT relay_hint_transactional_id PRIMARY KEY,
  position text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- The search index, not logged: a crash of the server empties it, and it is rebuilt from the products.
CREATE UNLOGGED TABLE souk.search_state (
  one boolean NOT NULL DEFAULT true CONSTRAINT search_state_one PRIMARY KEY CHECK (one),
  position text NOT NULL
);
CREATE UNLOGGED TABLE souk.search_terms (
  token text COLLATE "C" NOT NULL,
  product uuid NOT NULL,
  CONSTRAINT search_terms_token PRIMARY KEY (token, product)
);
-- tokens: every word of a product, each after a space: tells in one look-up whether all words of a query are there.
CREATE UNLOGGED TABLE souk.search_documents (
  product uuid CONSTRAINT search_documents_product PRIMARY KEY,
  name text COLLATE "C" NOT NULL,
  sku text COLLATE "C",
  tokens text COLLATE "C" NOT NULL
);
