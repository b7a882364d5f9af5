package breach

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/cardea-auth/cardea/auth"
)

const (
	minLine = hexSize + len(":1\n")
	maxLine = hexSize + len(":") + maxDigits + len("\r\n")
	samples = 256

	// widest is how much wider than the mean a gap between neighbours may be. Hashes are spread evenly, so of
	// 10^18 gaps not one is.
	widest = 64
)

// ListConfig is what a List is made from. The zero value is valid.
type ListConfig struct {
	// MinCount is how often a password must have been seen in breaches to count as known. Zero means once.
	MinCount int
}

// List is a file of SHA-1 hashes as Have I Been Pwned publishes it: lines of HASH:COUNT, sorted by hash, which
// end in LF or CRLF. It is searched where it lies, at about 30 short reads for a billion lines, and takes no
// memory. Make one with OpenList or NewList. It is safe for concurrent use.
//
// A list that is not whole would let known passwords pass. It is sampled when it is opened, and what each
// search reads must be in order and without holes: hashes are spread evenly, so that a gap much wider than
// the others, at the ends too, means that a part is missing. Both are errors. A single missing line is not
// noticed.
type List struct {
	r        io.ReaderAt
	size     int64
	minCount uint64
	closer   io.Closer
}

// The defects of a list.
var (
	errLine  = errors.New("a line is not HASH:COUNT with a SHA-1 in hex")
	errOrder = errors.New("it is not sorted by hash, or has a hash twice")
	errHole  = errors.New("a part of it is missing")
	errEmpty = errors.New("it is empty")
	errShort = errors.New("it became shorter")
)

// OpenList opens the file and samples it. The caller closes the List. To exchange a list, put the new file in
// the place of the old one by renaming it and open that; the file of an open List must not be written to.
func OpenList(path string, c ListConfig) (*List, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("breach: open list: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("breach: open list: %w", err), f.Close())
	}
	l, err := NewList(f, info.Size(), c)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l.closer = f
	return l, nil
}

// NewList returns the List of size bytes that r reads, such as a file mapped into memory, and samples it. R must
// allow concurrent calls; it stays the caller's to close.
func NewList(r io.ReaderAt, size int64, c ListConfig) (*List, error) {
	if err := checkMinCount(c.MinCount); err != nil {
		return nil, fmt.Errorf("breach: invalid ListConfig: %w", err)
	}
	l := &List{r: r, size: size, minCount: uint64(cmp.Or(c.MinCount, 1))}
	if err := l.sample(); err != nil {
		return nil, fmt.Errorf("breach: list: %w", err)
	}
	return l, nil
}

// Close closes the file that OpenList opened. Searches fail from then on.
func (l *List) Close() error {
	if l.closer == nil {
		return nil
	}
	return l.closer.Close()
}

// Breached reports whether the password is in the list. If it cannot be told, that is an error; it wraps the
// cause of ctx if that ends before, and fs.ErrClosed after Close.
func (l *List) Breached(ctx context.Context, password auth.Secret) (bool, error) {
	d := digestOf(password)
	count, err := l.find(ctx, d)
	if err != nil {
		return false, fmt.Errorf("breach: list: %w", err)
	}
	return count >= l.minCount, nil
}

// find returns the count of a digest, zero if it is not there. Its errors must not say where they came up:
// the place in the file is the beginning of the digest.
func (l *List) find(ctx context.Context, d digest) (count uint64, err error) {
	s := stretch{to: l.size}
	for s.from < s.to {
		if err := context.Cause(ctx); err != nil {
			return 0, err
		}
		e, err := l.entryAt(s.from + (s.to-s.from)/2)
		if err != nil {
			return 0, err
		}
		if !s.holds(e) {
			return 0, errOrder
		}
		switch bytes.Compare(e.hash[:], d[:]) {
		case 0:
			return e.count, nil
		case -1:
			s.from, s.below = e.end, &e.hash
		default:
			s.to, s.above = e.at, &e.hash
		}
	}
	if l.hole(s.below, s.above) {
		return 0, errHole
	}
	return 0, nil
}

// entry is one line.
type entry struct {
	at, end int64 // of the line, with its end
	hash    digest
	count   uint64
}

// stretch is the part of the list that is still to be searched, and the hashes right before and after it.
type stretch struct {
	from, to     int64
	below, above *digest // nil at the ends of the list
}

func (s stretch) holds(e entry) bool {
	return (s.below == nil || bytes.Compare(s.below[:], e.hash[:]) < 0) &&
		(s.above == nil || bytes.Compare(e.hash[:], s.above[:]) < 0)
}

// entryAt reads the line that the byte at off belongs to.
func (l *List) entryAt(off int64) (entry, error) {
	from, to := max(0, off-int64(maxLine)), min(l.size, off+int64(maxLine))
	var window [2 * maxLine]byte
	text := window[:to-from]
	if n, err := l.r.ReadAt(text, from); n < len(text) {
		if err == nil || errors.Is(err, io.EOF) {
			err = errShort
		}
		return entry{}, err
	}
	here := int(off - from)
	start := bytes.LastIndexByte(text[:here], '\n') + 1
	if start == 0 && from > 0 {
		return entry{}, errLine
	}
	end := len(text)
	if i := bytes.IndexByte(text[here:], '\n'); i >= 0 {
		end = here + i + 1
	} else if to < l.size {
		return entry{}, errLine
	}
	hash, count, ok := parseLine(trimEnd(text[start:end]), hexSize)
	if !ok {
		return entry{}, errLine
	}
	return entry{from + int64(start), from + int64(end), hash, count}, nil
}

// sample reads lines all over the list: another format, another order or a download that broke off is told
// when the list is opened, and not to the first person who chooses a password.
func (l *List) sample() error {
	if l.size <= 0 {
		return errEmpty
	}
	var first, last entry
	for i := range int64(samples) {
		off := i * (l.size / samples)
		if i == samples-1 {
			off = l.size - 1
		}
		if off < last.end {
			continue // a short list
		}
		e, err := l.entryAt(off)
		if err != nil {
			return fmt.Errorf("at byte %d: %w", off, err)
		}
		if last.end > 0 && bytes.Compare(last.hash[:], e.hash[:]) >= 0 {
			return fmt.Errorf("at byte %d: %w", off, errOrder)
		}
		if last.end == 0 {
			first = e
		}
		last = e
	}
	switch {
	case l.hole(nil, &first.hash):
		return fmt.Errorf("at its beginning: %w", errHole)
	case l.hole(&last.hash, nil):
		return fmt.Errorf("at its end: %w", errHole)
	}
	return nil
}

// hole reports whether the gap between two neighbours is too wide to be chance.
func (l *List) hole(below, above *digest) bool {
	from, to := 0.0, float64(1<<64)
	if below != nil {
		from = below.place()
	}
	if above != nil {
		to = above.place()
	}
	lines := float64(l.size) / float64(minLine) // or fewer, and then the mean is wider still
	return (to-from)*lines > widest*float64(1<<64)
}

// place is the digest's first 64 bits.
func (d *digest) place() float64 {
	var first [8]byte
	_, _ = hex.Decode(first[:], d[:2*len(first)]) // parseLine let nothing else in
	return float64(binary.BigEndian.Uint64(first[:]))
}
