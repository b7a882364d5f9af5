package breach

// Search looks for a suffix in an answer.
func Search(answer []byte, suffix string, minCount uint64) (bool, error) {
	return search(answer, []byte(suffix), minCount)
}

// ParseLine reads a line of a list.
func ParseLine(line []byte) (hash string, count uint64, ok bool) {
	d, count, ok := parseLine(line, hexSize)
	return string(d[:]), count, ok
}
