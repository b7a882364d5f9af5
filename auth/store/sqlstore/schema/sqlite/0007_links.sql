-- Which external identities are connected with which accounts, and which were. Of one that was only the id is left, and
-- the account while that is there: nobody else can have it. The numbers of methods are those of flow.Method.
CREATE TABLE cardea_links (
	number    INTEGER PRIMARY KEY, -- in the order of connecting
	id        TEXT    NOT NULL UNIQUE,
	account   TEXT    REFERENCES cardea_accounts (id), -- NULL if it was deleted: one opened under its id is another
	method    INTEGER NOT NULL, -- 0 for one that was disconnected
	provider  TEXT    NOT NULL,
	issuer    TEXT    NOT NULL,
	subject   TEXT    NOT NULL,
	email     TEXT    NOT NULL, -- empty for none
	name      TEXT    NOT NULL, -- empty for none
	linked_at INTEGER NOT NULL,
	used_at   INTEGER NOT NULL  -- that of the zero time for never
) STRICT;
-- Every read of an account's state reads the methods here, and not the table.
CREATE INDEX cardea_links_account ON cardea_links (account, method);

-- Which sessions came of which sessions at providers.
CREATE TABLE cardea_provider_sessions (
	number       INTEGER PRIMARY KEY, -- in the order of coming
	provider_key TEXT    NOT NULL,
	session      TEXT    NOT NULL,
	account      TEXT    NOT NULL,
	since        INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL,
	UNIQUE (provider_key, session)
) STRICT;
CREATE INDEX cardea_provider_sessions_expiry ON cardea_provider_sessions (expires_at);

-- What providers ended lately: a session that was being made meanwhile is not to come after it.
CREATE TABLE cardea_provider_ends (
	provider_key TEXT    NOT NULL PRIMARY KEY,
	ended_at     INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX cardea_provider_ends_expiry ON cardea_provider_ends (expires_at);
