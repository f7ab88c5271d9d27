-- Response plugins. Owner `bo-platform` holds those that are offered to every tenant.

-- Which version of a plugin answers; `revision` counts every change of the row.
CREATE TABLE bo_plugin (
    owner_id          TEXT COLLATE "C" NOT NULL,
    name              TEXT COLLATE "C" NOT NULL,
    last_version      BIGINT NOT NULL,
    active_version    BIGINT,
    canary_version    BIGINT,
    canary_share      BIGINT,
    switched_off_at   BIGINT,
    switched_off_code TEXT,
    revision          BIGINT NOT NULL,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    PRIMARY KEY (owner_id, name),
    CHECK ((canary_version IS NULL) = (canary_share IS NULL)),
    CHECK ((switched_off_at IS NULL) = (switched_off_code IS NULL))
);

-- Every version, for ever. A source never changes.
CREATE TABLE bo_plugin_version (
    owner_id        TEXT COLLATE "C" NOT NULL,
    name            TEXT COLLATE "C" NOT NULL,
    version         BIGINT NOT NULL,
    source          TEXT NOT NULL,
    digest          TEXT NOT NULL,
    author          TEXT NOT NULL,
    note            TEXT NOT NULL,
    created_at      BIGINT NOT NULL,
    published_at    BIGINT,
    switched_off_at BIGINT,
    PRIMARY KEY (owner_id, name, version),
    FOREIGN KEY (owner_id, name) REFERENCES bo_plugin (owner_id, name)
);

-- What every node compares with what it has in memory; and how many answers are recorded, where any are.
CREATE TABLE bo_plugin_owner (
    owner_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    samples  BIGINT
);

CREATE TABLE bo_plugin_failure (
    owner_id      TEXT COLLATE "C" NOT NULL,
    failure_id    BIGINT NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    version       BIGINT NOT NULL,
    code          TEXT NOT NULL,
    message       TEXT NOT NULL,
    line_number   BIGINT,
    column_number BIGINT,
    route         TEXT NOT NULL,
    sys_id        TEXT COLLATE "C",
    at            BIGINT NOT NULL,
    PRIMARY KEY (owner_id, failure_id)
);
CREATE INDEX bo_plugin_failure_name ON bo_plugin_failure (owner_id, name, failure_id);
-- What retention removes.
CREATE INDEX bo_plugin_failure_at ON bo_plugin_failure (at);

-- Runs of one version in five minutes.
CREATE TABLE bo_plugin_run (
    owner_id     TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    version      BIGINT NOT NULL,
    bucket       BIGINT NOT NULL,
    runs         BIGINT NOT NULL,
    failures     BIGINT NOT NULL,
    microseconds BIGINT NOT NULL,
    PRIMARY KEY (owner_id, name, version, bucket)
);
-- What retention removes.
CREATE INDEX bo_plugin_run_bucket ON bo_plugin_run (bucket);

-- Recorded answers, without tokens and with every text below `data` made unreadable.
CREATE TABLE bo_plugin_sample (
    owner_id  TEXT COLLATE "C" NOT NULL,
    sample_id BIGINT NOT NULL,
    context   TEXT NOT NULL,
    envelope  TEXT NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (owner_id, sample_id)
);
-- What retention removes.
CREATE INDEX bo_plugin_sample_at ON bo_plugin_sample (at);
