-- What a single node keeps in its own database and several nodes keep in the shared cache: it is found in SQLite only.

-- Stamps that were accepted, as batches of 16-byte digests.
CREATE TABLE bo_nonce (
    owner_id   TEXT NOT NULL,
    batch_id   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    digests    BLOB NOT NULL,
    PRIMARY KEY (owner_id, batch_id)
) STRICT;
CREATE INDEX bo_nonce_expiry ON bo_nonce (expires_at);

-- The cache of type `sqlite`.
CREATE TABLE bo_cache (
    key        TEXT NOT NULL PRIMARY KEY,
    value      BLOB NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX bo_cache_expiry ON bo_cache (expires_at);
