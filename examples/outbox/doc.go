// Package outbox shows letters on their whole way: queued in an SQLite database, written and sent by
// mail.Outbox, over STARTTLS and AUTH to a real mail server, and read there by another program's parser. It
// has no program: its test is the example.
package outbox
