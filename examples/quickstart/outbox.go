package main

import (
	"bytes"
	_ "embed"
	"html/template"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/authhttp"
	"github.com/cardea-auth/cardea/auth/mail"
	"github.com/cardea-auth/cardea/auth/standard"
)

// outbox keeps the mails that are not sent.
var outbox mail.Preview

//go:embed pages.html
var pageFile string

// pages are those that the library does not have. They borrow its stylesheet, under whatever name.
var pages = template.Must(template.New("").Parse(pageFile))

// frontPage stands behind Require, so there is a session whenever it is asked for.
func frontPage(site *standard.Site) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		session, _ := authhttp.SessionFrom(r.Context())
		account, err := site.Service.Account(r.Context(), session.Account)
		if err != nil {
			http.Error(w, "the account cannot be read", http.StatusInternalServerError)
			return
		}
		show(w, "front", struct {
			auth.Account
			Outbox bool
			Note   bool
		}{account, !server.set(), hasNote(session.Account)})
	}
}

// outboxPage shows the mails, all of them or those to one address. They open accounts, so nobody but whoever sits
// at this machine gets to see them.
func outboxPage(w http.ResponseWriter, r *http.Request) {
	if !fromThisMachine(r) {
		http.NotFound(w, r)
		return
	}
	all, to := outbox.Messages(), strings.ToLower(r.FormValue("to"))
	var list outboxList
	for _, m := range all {
		list.Addresses = append(list.Addresses, strings.ToLower(m.To.Address))
		if to == "" || to == strings.ToLower(m.To.Address) {
			list.Mails = append(list.Mails, m)
		}
	}
	slices.Sort(list.Addresses)
	list.Addresses, list.To = slices.Compact(list.Addresses), to
	show(w, "outbox", list)
}

// outboxList is what the page shows.
type outboxList struct {
	Mails     []mail.Message // the last one first
	Addresses []string       // that anything was mailed to
	To        string         // the one that was asked for; empty for all
}

// Document is the HTML part of a mail. Its links open in place of the page around it, as they would from a mail
// program.
func (outboxList) Document(m mail.Message) string {
	return strings.Replace(m.HTML.Reveal(), "<head>", `<head><base target="_top">`, 1)
}

// fromThisMachine reports whether a request was made here, and for here: a page of somebody else's whose name
// suddenly leads to this machine (DNS rebinding) still has that name in it.
func fromThisMachine(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !from.Addr().Unmap().IsLoopback() {
		return false
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// pagePolicy lets a page load styles and nothing else. The frame with a mail inherits it, and mails carry their
// styles in attributes.
const pagePolicy = "default-src 'none'; style-src 'self' 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"

func show(w http.ResponseWriter, name string, data any) {
	policy, referrer := pagePolicy, "no-referrer"
	if name == "front" { // it has a button and no mails, and what refuses the button leads back to it
		policy, referrer = strings.Replace(policy, "form-action 'none'", "form-action 'self'", 1), "same-origin"
	}
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		log.Print(err)
		http.Error(w, "the page cannot be shown", http.StatusInternalServerError)
		return
	}
	for name, value := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy, "Cache-Control": "no-store",
		"Referrer-Policy": referrer, "X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		w.Header().Set(name, value)
	}
	_, _ = w.Write(page.Bytes())
}
