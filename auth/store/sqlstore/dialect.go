package sqlstore

// Dialect is what one kind of database does differently. The statements of this package are written so that
// the databases agree on the rest: ON CONFLICT, RETURNING, partial indexes.
type Dialect struct {
	name         string                    // and the folder of its schema
	begin        string                    // begins a transaction that excludes other writers of what it reads
	oneWriter    bool                      // writers exclude each other in the database, so they queue before it
	placeholders func(query string) string // turns ? into what the database wants; nil leaves them
}

// SQLite returns the dialect of SQLite 3.37 and later. A transaction takes the write lock when it begins:
// one that reads first and asks for the lock later fails if somebody wrote in between, and no waiting helps.
func SQLite() Dialect { return Dialect{name: "sqlite", begin: "BEGIN IMMEDIATE", oneWriter: true} }

func (d Dialect) rewrite(query string) string {
	if d.placeholders == nil {
		return query
	}
	return d.placeholders(query)
}
