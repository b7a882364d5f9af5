package main

import (
	"net/http"
	"sync"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/standard"
)

// notes are what the accounts of this site would miss: each has one note, until it is deleted or the program ends.
var notes = struct {
	sync.Mutex
	deleted map[string]bool // by account
}{deleted: map[string]bool{}}

func hasNote(account string) bool {
	notes.Lock()
	defer notes.Unlock()
	return !notes.deleted[account]
}

// noteDeletion is what a person confirms before their note goes: this act, on this note, and nothing else.
func noteDeletion(r *http.Request) (auth.Operation, error) {
	session, _ := authhttp.SessionFrom(r.Context())
	return auth.NewOperation("Delete your note “Remember the milk” for ever", "delete-note", session.Account)
}

// deleteNote stands behind site.RequireConfirmed, so it runs once for each confirmation.
func deleteNote(w http.ResponseWriter, r *http.Request) {
	session, _ := authhttp.SessionFrom(r.Context())
	notes.Lock()
	notes.deleted[session.Account] = true
	notes.Unlock()
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func addNote(site *standard.Site, mux *http.ServeMux) {
	mux.Handle("POST /note/delete", site.RequireConfirmed(0, noteDeletion, http.HandlerFunc(deleteNote)))
}
