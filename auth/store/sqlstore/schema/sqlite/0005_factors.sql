-- Second factors, and recovery codes one by one. What is a secret is sealed or hashed before it gets here. The
-- numbers of methods are those of flow.Method; 6 is a passkey.
CREATE TABLE cardea_factors (
	number     INTEGER PRIMARY KEY, -- in the order of coming
	id         TEXT    NOT NULL UNIQUE,
	account    TEXT    NOT NULL REFERENCES cardea_accounts (id), -- an account opened under a deleted one's id has none of its factors
	method     INTEGER NOT NULL,
	name       TEXT    NOT NULL, -- empty for none
	handle     TEXT    NOT NULL, -- empty for none
	data       TEXT    NOT NULL,
	counter    INTEGER NOT NULL,
	verifying  INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	used_at    INTEGER NOT NULL  -- that of the zero time for never
) STRICT;
-- Every read of an account's state reads the methods here, and not the table.
CREATE INDEX cardea_factors_account ON cardea_factors (account, method, verifying);
CREATE UNIQUE INDEX cardea_factors_handle ON cardea_factors (account, method, handle) WHERE handle <> '';
CREATE UNIQUE INDEX cardea_factors_passkey ON cardea_factors (handle) WHERE method = 6 AND handle <> '';
