package memory

import "encoding/binary"

// texts keeps byte strings one behind the other in one piece of memory. A string is named by its place. What
// is dropped leaves a hole, and when the memory is full, or half of it holes, everything that is still
// referred to moves to a new piece. So no mixture of lengths, chosen by whomever, can fragment it, and what
// ended sessions took is given back.
type texts struct {
	data   []byte
	holes  int                      // how many bytes of data nobody refers to
	refs   func(each func(*uint32)) // everything that refers to a text, or is zero
	walked int                      // how many refs there were when the texts moved last
}

const (
	// fewestText is the least that there is to spare when texts have moved.
	fewestText = 1 << 10
	// mostText keeps all places within 32 bits, with plenty to spare for what accounts that exist grow by.
	mostText = 1 << 30
)

// get returns the text at a place. It is valid until the next set.
func (t *texts) get(at uint32) []byte {
	n, width := binary.Uvarint(t.data[at:])
	from := int(at) + width
	return t.data[from : from+int(n)]
}

// set keeps the text, which is not one that get returned, in the place of the one that *ref names, if any,
// and lets *ref, which must be among refs by the next set, name it.
func (t *texts) set(ref *uint32, text []byte) {
	if *ref != 0 {
		if old := t.get(*ref); len(old) == len(text) {
			copy(old, text)
			return
		}
		t.drop(ref)
	}
	if need := binary.MaxVarintLen64 + len(text); len(t.data)+need > cap(t.data) {
		t.tidy(need)
	}
	*ref = uint32(len(t.data))
	t.data = append(binary.AppendUvarint(t.data, uint64(len(text))), text...)
}

// drop forgets the text that *ref names.
func (t *texts) drop(ref *uint32) {
	t.holes += len(t.whole(*ref))
	*ref = 0
	if t.holes > max(len(t.data)/2, t.worthwhile()) {
		t.tidy(0)
	}
}

// whole is the text with its length in front.
func (t *texts) whole(at uint32) []byte {
	n, width := binary.Uvarint(t.data[at:])
	return t.data[at:][:width+int(n)]
}

func (t *texts) held() int { return len(t.data) - t.holes }

// worthwhile is how many bytes must have come or gone for the next move: at least one for each ref that it
// will have to look at, or a few texts that come and go after a flood would pay for all that the flood left.
func (t *texts) worthwhile() int { return max(t.walked, fewestText) }

// tidy moves everything to a new piece, with room for need bytes, and an eighth to spare.
func (t *texts) tidy(need int) {
	room := t.held() + need
	data := make([]byte, 1, room+max(room/8, t.worthwhile())) // no text is at zero
	t.walked = 0
	t.refs(func(ref *uint32) {
		t.walked++
		if *ref != 0 {
			text := t.whole(*ref)
			*ref = uint32(len(data))
			data = append(data, text...)
		}
	})
	t.data, t.holes = data, 0
}
