package password

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// foreign is a hash of a Format as Verify uses it.
type foreign struct {
	Hash
	speed *speed // of its format; nil if that is not known yet
}

var _ stored = foreign{}

func (f foreign) reserve() int64 { return f.Memory() }
func (f foreign) lasts(size int) int64 {
	return int64(min(f.speed.rate()*float64(f.Work(size)), 1<<60))
}
func (f foreign) matches(password []byte) bool { return f.Matches(password) }

// weakerThan is always true: whatever another system made is replaced as soon as its owner signs in.
func (f foreign) weakerThan(Params) bool { return true }

// cutter is a Hash that may match a part of the password only.
type cutter interface {
	cuts(password []byte) bool
}

// ignoresSome reports whether s looks at a part of the password only. A new hash of it would take over what
// the old system never checked: a slip beyond the part that counts would become the password, and the owner,
// who types it right the next time, would be locked out.
func ignoresSome(s stored, password []byte) bool {
	f, _ := s.(foreign)
	c, ok := f.Hash.(cutter)
	return ok && c.cuts(password)
}

// declared is a format of Config.Imported.
type declared struct {
	Format
	dearest Hash // Decoy(1)
	speed   *speed
}

// readForeign reads a hash with the one format that claims it, and refuses what costs more than was declared.
func (h *Hasher) readForeign(encoded string) (stored, error) {
	var found *declared
	for i := range h.imported {
		d := &h.imported[i]
		if !d.Claims(encoded) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%s and %s both claim it", found.Name(), d.Name())
		}
		found = d
	}
	if found == nil {
		return nil, errUndeclared(encoded)
	}
	hash, err := found.read(encoded)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", found.Name(), err)
	}
	return foreign{hash, found.speed}, nil
}

var errCost = errors.New("the hash costs more than Config.Imported declares")

func (d declared) read(encoded string) (Hash, error) {
	if len(encoded) > maxForeign {
		return nil, errSpelling
	}
	hash, err := d.Parse(encoded)
	if err != nil {
		return nil, err
	}
	if hash.Memory() < 0 || hash.Memory() > d.dearest.Memory() {
		return nil, errCost
	}
	for _, size := range []int{0, typicalSize, maxRaw} {
		if work := hash.Work(size); work < 1 || work > d.dearest.Work(size) { // a cost may overflow
			return nil, errCost
		}
	}
	return hash, nil
}

// checkImported returns every problem of Config.Imported.
func (c Config) checkImported() error {
	var problems []error
	var names []string
	for i, f := range c.Imported {
		if f == nil {
			problems = append(problems, fmt.Errorf("Imported[%d] is nil", i))
			continue
		}
		if slices.Contains(names, f.Name()) {
			problems = append(problems, fmt.Errorf("Imported has %s twice; declare it once, with its greatest cost", f.Name()))
		}
		names = append(names, f.Name())
		if err := c.checkFormat(f); err != nil {
			problems = append(problems, fmt.Errorf("Imported: %s: %w", f.Name(), err))
		}
	}
	return errors.Join(problems...)
}

func (c Config) checkFormat(f Format) error {
	if ours, ok := f.(interface{ check() error }); ok {
		if err := ours.check(); err != nil {
			return err
		}
	}
	dearest := f.Decoy(1)
	if f.Name() == "" || dearest == nil || dearest.Work(typicalSize) < 1 {
		return errors.New("it must have a name, and a Decoy(1) that does some work")
	}
	if m := dearest.Memory(); m < 0 || m > min(c.knownMemory(), c.sharedMemory()) {
		return fmt.Errorf("a hash takes %d bytes; both parts of Memory must have room for one, which is twice that", m)
	}
	return nil
}

// importedNames lists the declared formats for the report.
func (h *Hasher) importedNames() string {
	if len(h.imported) == 0 {
		return "none"
	}
	var all []string
	for _, d := range h.imported {
		name := d.Name()
		if s, ok := d.Format.(fmt.Stringer); ok {
			name = s.String()
		}
		all = append(all, name)
	}
	return strings.Join(all, ", ")
}
