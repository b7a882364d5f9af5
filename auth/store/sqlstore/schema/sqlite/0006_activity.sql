-- What happened with accounts, for their owners to read. Alike events are one row.
CREATE TABLE cardea_activity (
	number     INTEGER PRIMARY KEY, -- in the order in which they were begun
	account    TEXT    NOT NULL, -- or a decoy's id
	class      INTEGER NOT NULL,
	alike      TEXT    NOT NULL, -- what rows have in common that are one; empty for none
	what       TEXT    NOT NULL,
	methods    INTEGER NOT NULL, -- a bit for each method, as in flow.Methods
	network    TEXT    NOT NULL, -- empty for none
	user_agent TEXT    NOT NULL,
	times      INTEGER NOT NULL,
	first_at   INTEGER NOT NULL,
	last_at    INTEGER NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX cardea_activity_alike ON cardea_activity (account, class, alike) WHERE alike <> '';
CREATE INDEX cardea_activity_account ON cardea_activity (account, class, last_at);
CREATE INDEX cardea_activity_expiry ON cardea_activity (expires_at);
