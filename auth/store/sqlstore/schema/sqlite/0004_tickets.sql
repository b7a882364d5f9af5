-- What mailed links stand for. The links' secrets are not here.
CREATE TABLE cardea_tickets (
	number         INTEGER PRIMARY KEY, -- in the order of coming
	id             TEXT    NOT NULL UNIQUE,
	purpose        TEXT    NOT NULL,
	account        TEXT    NOT NULL, -- or a decoy's id
	security_epoch INTEGER NOT NULL, -- the ticket is void at any other; zero for an undo, which never is
	key_name       TEXT    NOT NULL,
	created_at     INTEGER NOT NULL,
	expires_at     INTEGER NOT NULL,
	old_identifier TEXT    NOT NULL, -- of an undo, as the next two
	old_display    TEXT    NOT NULL,
	new_identifier TEXT    NOT NULL
) STRICT;
CREATE INDEX cardea_tickets_account ON cardea_tickets (account);
CREATE UNIQUE INDEX cardea_tickets_single ON cardea_tickets (account, purpose) WHERE purpose <> 'undo';
CREATE INDEX cardea_tickets_reserved ON cardea_tickets (old_identifier, expires_at) WHERE purpose = 'undo';
CREATE INDEX cardea_tickets_expiry ON cardea_tickets (expires_at);
