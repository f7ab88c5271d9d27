-- A new public key is announced before it signs. Until then its row has an end, and the key before it has none: a server
-- of the version before signs with the one that has none, and accepts the other.
ALTER TABLE bo_signing_key ADD COLUMN signs_from INTEGER;
ALTER TABLE bo_signing_key ADD COLUMN announced INTEGER NOT NULL DEFAULT 0;

-- Those whose rows are still to be exchanged.
CREATE INDEX bo_signing_key_announced ON bo_signing_key (signs_from) WHERE announced = 1;
