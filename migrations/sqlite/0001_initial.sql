-- The same tables as in ../postgres, in SQLite's words: strict types, JSON as text, rows kept in the order of their key.
-- Instants are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE bo_project (
    owner_id       TEXT PRIMARY KEY,
    name           TEXT NOT NULL,
    default_sys_id TEXT NOT NULL,
    settings       TEXT NOT NULL,
    disabled_at    INTEGER,
    not_before     INTEGER NOT NULL DEFAULT 0,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE bo_system (
    owner_id    TEXT NOT NULL REFERENCES bo_project (owner_id),
    sys_id      TEXT NOT NULL,
    name        TEXT NOT NULL,
    settings    TEXT NOT NULL,
    disabled_at INTEGER,
    not_before  INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (owner_id, sys_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE bo_signing_key (
    owner_id   TEXT NOT NULL REFERENCES bo_project (owner_id),
    key_id     TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    algorithm  TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    retires_at INTEGER,
    PRIMARY KEY (owner_id, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE bo_user (
    owner_id      TEXT NOT NULL REFERENCES bo_project (owner_id),
    user_id       TEXT NOT NULL,
    account       TEXT NOT NULL,
    mobile        TEXT,
    name          TEXT NOT NULL,
    push_name     TEXT,
    password_hash TEXT NOT NULL,
    area_codes    TEXT NOT NULL,
    disabled_at   INTEGER,
    not_before    INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (owner_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX bo_user_account ON bo_user (owner_id, account);
CREATE UNIQUE INDEX bo_user_mobile ON bo_user (owner_id, mobile) WHERE mobile IS NOT NULL;

CREATE TABLE bo_sys_area (
    owner_id    TEXT NOT NULL,
    area_code   TEXT NOT NULL,
    parent_code TEXT,
    name        TEXT NOT NULL,
    PRIMARY KEY (owner_id, area_code)
) STRICT, WITHOUT ROWID;

-- A rotation changes no column that stands in an index: that is why `keep_until` is a column of its own beside
-- `access_expires_at`.
CREATE TABLE bo_session (
    owner_id             TEXT NOT NULL,
    session_id           INTEGER NOT NULL,
    sys_id               TEXT NOT NULL,
    user_id              TEXT NOT NULL,
    generation           INTEGER NOT NULL,
    created_at           INTEGER NOT NULL,
    refreshed_at         INTEGER NOT NULL,
    idle_expires_at      INTEGER NOT NULL,
    expires_at           INTEGER NOT NULL,
    access_expires_at    INTEGER NOT NULL,
    first_share_user_id  TEXT,
    second_share_user_id TEXT,
    area_code            TEXT,
    address              TEXT,
    user_agent           TEXT,
    ended_at             INTEGER,
    end_reason           INTEGER,
    keep_until           INTEGER,
    PRIMARY KEY (owner_id, session_id),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL) AND (ended_at IS NULL) = (keep_until IS NULL))
) STRICT, WITHOUT ROWID;
-- A user's live sessions.
CREATE INDEX bo_session_live ON bo_session (owner_id, user_id, session_id) WHERE ended_at IS NULL;
-- Live by their mark only: what retention removes once the lifetime is long over.
CREATE INDEX bo_session_expiry ON bo_session (expires_at) WHERE ended_at IS NULL;
-- Ended sessions whose access tokens could still be alive, which nodes reload; and what retention removes.
CREATE INDEX bo_session_kept ON bo_session (keep_until, owner_id, session_id) WHERE ended_at IS NOT NULL;

CREATE TABLE bo_audit_event (
    owner_id   TEXT NOT NULL,
    event_id   INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    sys_id     TEXT,
    user_id    TEXT,
    session_id INTEGER,
    reason     TEXT,
    actor      TEXT NOT NULL,
    trace      TEXT NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (owner_id, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX bo_audit_event_user ON bo_audit_event (owner_id, user_id, event_id);
-- What retention removes.
CREATE INDEX bo_audit_event_at ON bo_audit_event (at);

-- Rows live for moments. The event's id alone is the key: it is what whoever has announced an event remembers of it.
CREATE TABLE bo_outbox (
    event_id   INTEGER NOT NULL PRIMARY KEY,
    owner_id   TEXT NOT NULL,
    kind       TEXT NOT NULL,
    payload    TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX bo_outbox_created ON bo_outbox (created_at);

CREATE TABLE bo_stamp_use (
    owner_id     TEXT NOT NULL,
    sys_id       TEXT NOT NULL,
    scheme       TEXT NOT NULL,
    key_id       TEXT NOT NULL,
    uses         INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    PRIMARY KEY (owner_id, sys_id, scheme, key_id)
) STRICT, WITHOUT ROWID;
