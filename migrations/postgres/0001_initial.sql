-- Tenants, systems, users, areas, sessions and what is recorded about them. Every key starts with the owner id, so that
-- a sharded database can split the data by tenant. Instants are milliseconds since 1970-01-01T00:00:00Z.

CREATE TABLE bo_project (
    owner_id       TEXT COLLATE "C" PRIMARY KEY,
    name           TEXT NOT NULL,
    default_sys_id TEXT COLLATE "C" NOT NULL,
    settings       JSONB NOT NULL,
    disabled_at    BIGINT,
    not_before     BIGINT NOT NULL DEFAULT 0,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
);

CREATE TABLE bo_system (
    owner_id    TEXT COLLATE "C" NOT NULL REFERENCES bo_project (owner_id),
    sys_id      TEXT COLLATE "C" NOT NULL,
    name        TEXT NOT NULL,
    settings    JSONB NOT NULL,
    disabled_at BIGINT,
    not_before  BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (owner_id, sys_id)
);

CREATE TABLE bo_signing_key (
    owner_id   TEXT COLLATE "C" NOT NULL REFERENCES bo_project (owner_id),
    key_id     TEXT COLLATE "C" NOT NULL,
    purpose    TEXT NOT NULL,
    algorithm  TEXT NOT NULL,
    sealed     BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    retires_at BIGINT,
    PRIMARY KEY (owner_id, key_id)
);

CREATE TABLE bo_user (
    owner_id      TEXT COLLATE "C" NOT NULL REFERENCES bo_project (owner_id),
    user_id       TEXT COLLATE "C" NOT NULL,
    account       TEXT COLLATE "C" NOT NULL,
    mobile        TEXT COLLATE "C",
    name          TEXT NOT NULL,
    push_name     TEXT,
    password_hash TEXT NOT NULL,
    area_codes    JSONB NOT NULL,
    disabled_at   BIGINT,
    not_before    BIGINT NOT NULL DEFAULT 0,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (owner_id, user_id)
);
CREATE UNIQUE INDEX bo_user_account ON bo_user (owner_id, account);
CREATE UNIQUE INDEX bo_user_mobile ON bo_user (owner_id, mobile) WHERE mobile IS NOT NULL;

CREATE TABLE bo_sys_area (
    owner_id    TEXT COLLATE "C" NOT NULL,
    area_code   TEXT COLLATE "C" NOT NULL,
    parent_code TEXT COLLATE "C",
    name        TEXT NOT NULL,
    PRIMARY KEY (owner_id, area_code)
);

-- A rotation changes no column that stands in an index, so that Postgres updates the row in its page: that is why
-- `keep_until` is a column of its own beside `access_expires_at`, and why there is room left in each page.
CREATE TABLE bo_session (
    owner_id             TEXT COLLATE "C" NOT NULL,
    session_id           BIGINT NOT NULL,
    sys_id               TEXT COLLATE "C" NOT NULL,
    user_id              TEXT COLLATE "C" NOT NULL,
    generation           BIGINT NOT NULL,
    created_at           BIGINT NOT NULL,
    refreshed_at         BIGINT NOT NULL,
    idle_expires_at      BIGINT NOT NULL,
    expires_at           BIGINT NOT NULL,
    access_expires_at    BIGINT NOT NULL,
    first_share_user_id  TEXT,
    second_share_user_id TEXT,
    area_code            TEXT,
    address              TEXT,
    user_agent           TEXT,
    ended_at             BIGINT,
    end_reason           INTEGER,
    keep_until           BIGINT,
    PRIMARY KEY (owner_id, session_id),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL) AND (ended_at IS NULL) = (keep_until IS NULL))
) WITH (fillfactor = 85);
-- A user's live sessions.
CREATE INDEX bo_session_live ON bo_session (owner_id, user_id, session_id) WHERE ended_at IS NULL;
-- Live by their mark only: what retention removes once the lifetime is long over.
CREATE INDEX bo_session_expiry ON bo_session (expires_at) WHERE ended_at IS NULL;
-- Ended sessions whose access tokens could still be alive, which nodes reload; and what retention removes.
CREATE INDEX bo_session_kept ON bo_session (keep_until, owner_id, session_id) WHERE ended_at IS NOT NULL;

CREATE TABLE bo_audit_event (
    owner_id   TEXT COLLATE "C" NOT NULL,
    event_id   BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    sys_id     TEXT COLLATE "C",
    user_id    TEXT COLLATE "C",
    session_id BIGINT,
    reason     TEXT,
    actor      TEXT NOT NULL,
    trace      JSONB NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (owner_id, event_id)
);
CREATE INDEX bo_audit_event_user ON bo_audit_event (owner_id, user_id, event_id);
-- What retention removes.
CREATE INDEX bo_audit_event_at ON bo_audit_event (at);

-- Rows live for moments. The event's id alone is the key: it is what whoever has announced an event remembers of it.
CREATE TABLE bo_outbox (
    event_id   BIGINT NOT NULL PRIMARY KEY,
    owner_id   TEXT COLLATE "C" NOT NULL,
    kind       TEXT NOT NULL,
    payload    JSONB NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX bo_outbox_created ON bo_outbox (created_at);

CREATE TABLE bo_stamp_use (
    owner_id     TEXT COLLATE "C" NOT NULL,
    sys_id       TEXT COLLATE "C" NOT NULL,
    scheme       TEXT COLLATE "C" NOT NULL,
    key_id       TEXT COLLATE "C" NOT NULL,
    uses         BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (owner_id, sys_id, scheme, key_id)
);
