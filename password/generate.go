//go:build ignore

// Generate writes data/common.txt and data/top.txt, the lists that new passwords are held against, from two
// public lists; data/README.md says where they come from and under which licence.
//
//	go run generate.go -ranked passwords.json -long 10_million_password_list_top_1M.txt
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

const (
	wholeFrom = 8      // from this length on, an entry stands for a whole password (ASVS 6.2.4)
	longFrom  = 15     // from this length on, the second list is taken as well
	longest   = 64     // what is longer is no password but an accident of the list
	wordRanks = 10_000 // how many of the most common entries give shorter words, for chains of words
	topWords  = 500    // how many of them count as very common
)

func main() {
	ranked := flag.String("ranked", "", "passwords.json of @zxcvbn-ts/language-common, the most common first")
	long := flag.String("long", "", "10_million_password_list_top_1M.txt, one password a line")
	flag.Parse()

	common, top := map[string]bool{}, map[string]bool{}
	for rank, entry := range readJSON(*ranked) {
		entry = fold(entry)
		n := utf8.RuneCountInString(entry)
		word := n >= 3 && strings.ContainsFunc(entry, unicode.IsLetter)
		if usable(entry) && (n >= wholeFrom || word && rank < wordRanks) {
			common[entry] = true
		}
		if word && len(top) < topWords {
			top[entry] = true
		}
	}
	for _, entry := range readLines(*long) {
		entry = fold(entry)
		if usable(entry) && utf8.RuneCountInString(entry) >= longFrom {
			common[entry] = true
		}
	}
	write("data/common.txt", common)
	write("data/top.txt", top)
}

// fold does what package password does before it compares.
func fold(s string) string { return cases.Fold().String(norm.NFKC.String(s)) }

func usable(entry string) bool {
	return utf8.ValidString(entry) && utf8.RuneCountInString(entry) <= longest && !strings.ContainsFunc(entry, unicode.IsControl)
}

func readJSON(path string) (entries []string) {
	b, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.Unmarshal(b, &entries); err != nil {
		log.Fatal(err)
	}
	return entries
}

func readLines(path string) (lines []string) {
	f, err := os.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		lines = append(lines, s.Text())
	}
	if err := s.Err(); err != nil {
		log.Fatal(err)
	}
	return lines
}

func write(path string, entries map[string]bool) {
	sorted := slices.Sorted(maps.Keys(entries))
	if err := os.WriteFile(path, []byte(strings.Join(sorted, "\n")+"\n"), 0o644); err != nil {
		log.Fatal(err)
	}
}
