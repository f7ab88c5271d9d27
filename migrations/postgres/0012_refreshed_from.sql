-- Who has moved a session to its generation, so that whoever asks for the same answer again can be told from them.
ALTER TABLE bo_session ADD COLUMN refreshed_generation BIGINT;
ALTER TABLE bo_session ADD COLUMN refreshed_address TEXT;
ALTER TABLE bo_session ADD COLUMN refreshed_user_agent TEXT;

-- The last generation of which the audit trail says that it was asked for again from elsewhere.
ALTER TABLE bo_session ADD COLUMN replayed_generation BIGINT;
