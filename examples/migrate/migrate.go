package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/flow"
	"github.com/cardea-auth/cardea/password"
)

// person is an account of another system.
type person struct {
	From, Address, Name string
	Hash                string // empty if there is no password
}

// result is what became of a person.
type result struct {
	person
	Note string
}

// migrate creates the accounts. What is wrong with a row is noted, and the rest goes on; only a fault of the
// store ends it, and then the same call completes what is missing.
func migrate(ctx context.Context, s *auth.Service, people []person) (results []result, err error) {
	for _, p := range people {
		// Nothing tests the password against the rules for new ones: it cannot be read. It is as good as it was.
		_, err := s.CreateAccount(ctx, auth.NewAccount{Identifier: p.Address, Name: p.Name, Hash: auth.NewEncodedHash(p.Hash)})
		var denied *auth.DeniedError
		note := "moved"
		switch {
		case err == nil && p.Hash == "":
			note = "moved without a password; needs an invitation"
		case err == nil:
		case errors.As(err, &denied) && denied.Reason == flow.AddressTaken:
			note = "is there already"
		case errors.As(err, &denied):
			note = fmt.Sprintf("not moved: %s", denied.Reason)
		case errors.Is(err, auth.ErrHash):
			note = fmt.Sprintf("not moved: %v", err) // which names the kind, and quotes nothing of the hash
		default:
			return results, err
		}
		results = append(results, result{p, note})
	}
	return results, nil
}

// everybody reads all three systems.
func everybody(files fs.FS) ([]person, error) {
	django, djangoErr := readTable(files, "data/django.csv", "Django")
	devise, deviseErr := readTable(files, "data/devise.csv", "Devise")
	firebase, firebaseErr := readFirebase(files)
	people := append(append(django, devise...), firebase...)
	return people, errors.Join(djangoErr, deviseErr, firebaseErr)
}

// readTable reads addresses, names and hashes: for Django "select email, first_name, password from auth_user",
// for Devise "select email, name, encrypted_password from users". Both keep hashes as they are imported.
func readTable(files fs.FS, name, from string) (people []person, err error) {
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.FieldsPerRecord = 3
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for n, row := range rows {
		if n == 0 {
			continue // the names of the columns
		}
		p := person{From: from, Address: row[0], Name: row[1], Hash: row[2]}
		if strings.HasPrefix(p.Hash, "!") {
			p.Hash = "" // Django's mark of an account without a password
		}
		people = append(people, p)
	}
	return people, nil
}

// readFirebase reads what "firebase auth:export" writes, and the hash parameters that the console shows. They
// make the hash together.
func readFirebase(files fs.FS) (people []person, err error) {
	var export struct {
		Users []struct {
			Email        string `json:"email"`
			DisplayName  string `json:"displayName"`
			PasswordHash string `json:"passwordHash"`
			Salt         string `json:"salt"`
		} `json:"users"`
	}
	var parameters struct {
		SignerKey     string `json:"base64_signer_key"`
		SaltSeparator string `json:"base64_salt_separator"`
		Rounds        int    `json:"rounds"`
		MemCost       int    `json:"mem_cost"`
	}
	if err := errors.Join(
		readJSON(files, "data/firebase.json", &export), readJSON(files, "data/firebase-parameters.json", &parameters),
	); err != nil {
		return nil, err
	}
	for _, u := range export.Users {
		p := person{From: "Firebase", Address: u.Email, Name: u.DisplayName}
		if u.PasswordHash != "" { // there is none for who signs in with Google alone
			p.Hash, err = password.EncodeFirebase(password.FirebaseParameters{
				SignerKey: parameters.SignerKey, SaltSeparator: parameters.SaltSeparator,
				Rounds: parameters.Rounds, MemoryCost: parameters.MemCost,
			}, u.Salt, u.PasswordHash)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", u.Email, err)
			}
		}
		people = append(people, p)
	}
	return people, nil
}

func readJSON(files fs.FS, name string, into any) error {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
