-- Response plugins. Owner `bo-platform` holds those that are offered to every tenant.

-- Which version of a plugin answers; `revision` counts every change of the row.
CREATE TABLE bo_plugin (
    owner_id          TEXT NOT NULL,
    name              TEXT NOT NULL,
    last_version      INTEGER NOT NULL,
    active_version    INTEGER,
    canary_version    INTEGER,
    canary_share      INTEGER,
    switched_off_at   INTEGER,
    switched_off_code TEXT,
    revision          INTEGER NOT NULL,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    PRIMARY KEY (owner_id, name),
    CHECK ((canary_version IS NULL) = (canary_share IS NULL)),
    CHECK ((switched_off_at IS NULL) = (switched_off_code IS NULL))
) STRICT, WITHOUT ROWID;

-- Every version, for ever. A source never changes.
CREATE TABLE bo_plugin_version (
    owner_id        TEXT NOT NULL,
    name            TEXT NOT NULL,
    version         INTEGER NOT NULL,
    source          TEXT NOT NULL,
    digest          TEXT NOT NULL,
    author          TEXT NOT NULL,
    note            TEXT NOT NULL,
    created_at      INTEGER NOT NULL,
    published_at    INTEGER,
    switched_off_at INTEGER,
    PRIMARY KEY (owner_id, name, version),
    FOREIGN KEY (owner_id, name) REFERENCES bo_plugin (owner_id, name)
) STRICT, WITHOUT ROWID;

-- What every node compares with what it has in memory; and how many answers are recorded, where any are.
CREATE TABLE bo_plugin_owner (
    owner_id TEXT NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    samples  INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE bo_plugin_failure (
    owner_id      TEXT NOT NULL,
    failure_id    INTEGER NOT NULL,
    name          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    code          TEXT NOT NULL,
    message       TEXT NOT NULL,
    line_number   INTEGER,
    column_number INTEGER,
    route         TEXT NOT NULL,
    sys_id        TEXT,
    at            INTEGER NOT NULL,
    PRIMARY KEY (owner_id, failure_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX bo_plugin_failure_name ON bo_plugin_failure (owner_id, name, failure_id);
-- What retention removes.
CREATE INDEX bo_plugin_failure_at ON bo_plugin_failure (at);

-- Runs of one version in five minutes.
CREATE TABLE bo_plugin_run (
    owner_id     TEXT NOT NULL,
    name         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    bucket       INTEGER NOT NULL,
    runs         INTEGER NOT NULL,
    failures     INTEGER NOT NULL,
    microseconds INTEGER NOT NULL,
    PRIMARY KEY (owner_id, name, version, bucket)
) STRICT, WITHOUT ROWID;
-- What retention removes.
CREATE INDEX bo_plugin_run_bucket ON bo_plugin_run (bucket);

-- Recorded answers, without tokens and with every text below `data` made unreadable.
CREATE TABLE bo_plugin_sample (
    owner_id  TEXT NOT NULL,
    sample_id INTEGER NOT NULL,
    context   TEXT NOT NULL,
    envelope  TEXT NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (owner_id, sample_id)
) STRICT, WITHOUT ROWID;
-- What retention removes.
CREATE INDEX bo_plugin_sample_at ON bo_plugin_sample (at);
