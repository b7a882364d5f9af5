-- The devices that people chose to trust. Trust counts only under the account's session epoch of the moment.
CREATE TABLE cardea_trust (
	account    TEXT    NOT NULL,
	device     BLOB    NOT NULL, -- a hash that has the account in it
	id         TEXT    NOT NULL UNIQUE,
	name       TEXT    NOT NULL, -- empty for none
	user_agent TEXT    NOT NULL,
	assurance  INTEGER NOT NULL,
	epoch      INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	seen_at    INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	PRIMARY KEY (account, device)
) STRICT, WITHOUT ROWID;
CREATE INDEX cardea_trust_expiry ON cardea_trust (expires_at);
