-- Everything that the library keeps. Times are microseconds since 1970 in UTC. Text is compared byte by
-- byte, which is SQLite's default; no column may get another collation.

-- The host's people, unless the host has a directory of its own.
CREATE TABLE cardea_people (
	id         TEXT    NOT NULL PRIMARY KEY,
	identifier TEXT    NOT NULL UNIQUE,
	display    TEXT    NOT NULL,
	name       TEXT    NOT NULL,
	language   TEXT    NOT NULL,
	created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the library keeps of each account, here or in the host's directory.
CREATE TABLE cardea_accounts (
	id             TEXT    NOT NULL PRIMARY KEY,
	status         INTEGER NOT NULL,
	security_epoch INTEGER NOT NULL,
	session_epoch  INTEGER NOT NULL,
	password_hash  TEXT    NOT NULL, -- empty for none
	compromised    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cardea_flows (
	id         TEXT    NOT NULL PRIMARY KEY,
	version    INTEGER NOT NULL,
	key_name   TEXT    NOT NULL,
	browser    BLOB    NOT NULL,
	data       BLOB    NOT NULL,
	touched_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX cardea_flows_expiry ON cardea_flows (expires_at);

CREATE TABLE cardea_counters (
	bucket       TEXT    NOT NULL PRIMARY KEY,
	attempts     INTEGER NOT NULL,
	since_at     INTEGER NOT NULL, -- the next leak is measured from here
	last_at      INTEGER NOT NULL,
	before_at    INTEGER NOT NULL, -- the attempt before the last one
	zero_at      INTEGER NOT NULL  -- from here on the row means nothing
) STRICT, WITHOUT ROWID;
CREATE INDEX cardea_counters_zero ON cardea_counters (zero_at);

-- Each account's standing as the sessions know it. A row is never deleted: it refuses the sign-ins that
-- began before the account's sessions were ended.
CREATE TABLE cardea_standings (
	account        TEXT    NOT NULL PRIMARY KEY,
	status         INTEGER NOT NULL,
	security_epoch INTEGER NOT NULL,
	session_epoch  INTEGER NOT NULL,
	swept_epoch    INTEGER NOT NULL -- there are no sessions of epochs before this one
) STRICT, WITHOUT ROWID;
CREATE INDEX cardea_standings_unswept ON cardea_standings (account) WHERE swept_epoch < session_epoch;

-- Clustered by the hash of the token, so that looking a session up reads one place.
CREATE TABLE cardea_sessions (
	hash             BLOB    NOT NULL PRIMARY KEY,
	id               TEXT    NOT NULL UNIQUE,
	account          TEXT    NOT NULL REFERENCES cardea_standings (account),
	epoch            INTEGER NOT NULL,
	created_at       INTEGER NOT NULL,
	authenticated_at INTEGER NOT NULL,
	seen_at          INTEGER NOT NULL,
	expires_at       INTEGER NOT NULL,
	ends_at          INTEGER NOT NULL,
	keep             INTEGER NOT NULL,
	assurance        INTEGER NOT NULL,
	proofs           TEXT    NOT NULL, -- JSON
	user_agent       TEXT    NOT NULL,
	prefix           TEXT    NOT NULL  -- empty for none
) STRICT, WITHOUT ROWID;
CREATE INDEX cardea_sessions_account ON cardea_sessions (account, epoch, seen_at);
CREATE INDEX cardea_sessions_expiry ON cardea_sessions (expires_at);
