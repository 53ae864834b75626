-- One index for each order of each list, so that a page costs the same however many products there are. Put off while
-- a shop is filled (filling.rs): a statement a line, nothing but CREATE INDEX.
CREATE INDEX products_created_at ON products (created_at);
CREATE INDEX products_name ON products (name);
CREATE INDEX products_stock ON products (stock);
CREATE INDEX products_seller_created_at ON products (seller_id, created_at);
CREATE INDEX products_seller_name ON products (seller_id, name);
CREATE INDEX products_seller_stock ON products (seller_id, stock);
CREATE INDEX products_category_created_at ON products (category, created_at);
CREATE INDEX products_category_name ON products (category, name);
CREATE INDEX products_category_stock ON products (category, stock);
CREATE INDEX products_low_created_at ON products (created_at) WHERE low_stock = 1;
CREATE INDEX products_low_name ON products (name) WHERE low_stock = 1;
CREATE INDEX products_low_stock ON products (stock) WHERE low_stock = 1;
CREATE INDEX products_seller_low_created_at ON products (seller_id, created_at) WHERE low_stock = 1;
CREATE INDEX products_seller_low_name ON products (seller_id, name) WHERE low_stock = 1;
CREATE INDEX products_seller_low_stock ON products (seller_id, stock) WHERE low_stock = 1;
