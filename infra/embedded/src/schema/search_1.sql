-- Words of products; rebuilt from the catalog when lost.
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE terms (token TEXT NOT NULL, product BLOB NOT NULL, PRIMARY KEY (token, product)) STRICT, WITHOUT ROWID;
-- Every word of a product, each after a space: tells in one look-up whether all words of a query are there.
CREATE TABLE documents (product BLOB PRIMARY KEY, tokens TEXT NOT NULL) STRICT, WITHOUT ROWID;
