-- Administrators: users of the tenant that is reserved for them, with what they may reach.
CREATE TABLE bo_admin (
    owner_id       TEXT COLLATE "C" NOT NULL,
    user_id        TEXT COLLATE "C" NOT NULL,
    role           TEXT NOT NULL CHECK (role IN ('platform', 'tenant')),
    reach_owner_id TEXT COLLATE "C" REFERENCES bo_project (owner_id),
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (owner_id, user_id),
    FOREIGN KEY (owner_id, user_id) REFERENCES bo_user (owner_id, user_id),
    CHECK ((role = 'tenant') = (reach_owner_id IS NOT NULL))
);

-- The areas within an area.
CREATE INDEX bo_sys_area_parent ON bo_sys_area (owner_id, parent_code, area_code);
