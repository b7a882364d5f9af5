-- The mails that are due. A letter holds no secret, but it does hold an address.
CREATE TABLE cardea_letters (
	id         TEXT    NOT NULL PRIMARY KEY,
	due_at     INTEGER NOT NULL, -- from here on somebody may claim it; one with no attempts may be claimed at once
	was_due_at INTEGER NOT NULL, -- due_at before the last claim, by which a claim is put in order
	attempts   INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	letter     TEXT    NOT NULL  -- JSON
) STRICT;
CREATE INDEX cardea_letters_due ON cardea_letters (due_at);
CREATE INDEX cardea_letters_new ON cardea_letters (due_at) WHERE attempts = 0;
CREATE INDEX cardea_letters_expiry ON cardea_letters (expires_at);
