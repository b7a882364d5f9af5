package password

import (
	"slices"
	"strings"
)

// What people type because it lies before them: alphabets, numbers, and what can be traced on the keyboards of
// English, German, French and Russian layouts (rows, columns, zigzags between two rows, blocks, the number
// pad). Any four neighbours of such a line, forwards or backwards, are a piece of a pattern.
var (
	sequences = []string{
		"abcdefghijklmnopqrstuvwxyzabc", "абвгдеёжзийклмнопрстуфхцчшщъыьэюя", "αβγδεζηθικλμνξοπρστυφχψω",
		"12345678901234567890", "1234567898765432123456789", "1357913579", "2468024680",
		"a1b2c3d4e5f6g7h8i9j0", "1a2b3c4d5e6f7g8h9i0j",
	}
	keyboards = []string{
		"`1234567890-=", "qwertyuiop[]\\", "asdfghjkl;'", "zxcvbnm,./", "~!@#$%^&*()_+", // English
		"^1234567890ß´", "qwertzuiopü+", "asdfghjklöä#", "yxcvbnm,.-", "°!\"§$%&/()=?", // German
		"azertyuiop", "qsdfghjklmù", "wxcvbn,;:!", "&é\"'(-è_çà", // French
		"йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю", // Russian
		"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "1qazxsw23edcvfr45tgbnhy67ujm,ki89ol./;p0",
		"zaq1xsw2cde3vfr4bgt5nhy6mju7", "zaq12wsxcde34rfvbgt56yhn", "!qaz@wsx#edc$rfv%tgb^yhn&ujm*ik<(ol>",
		"1qayxsw23edcvfr45tgbnhz67ujm", "1qay2wsx3edc4rfv5tgb6zhn7ujm",
		"qazwsxedcrfvtgbyhnujmikolp", "qazxswedcvfrtgbnhyujmkiolp", "zaqxswcdevfrbgtnhymju", "zaqwsxcderfvbgtyhnmjuiklop",
		"qaywsxedcrfvtgbzhnujm", "qayxswedcvfrtgbnhzujm",
		"1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "1q2w3e4r5t6z7u8i9o0p", "q1w2e3r4t5z6u7i8o9p0", "!q@w#e$r%t^y&u*i(o)p",
		"qawsedrftgyhujikolp", "aqswdefrgthyjukilop", "a1s2d3f4g5h6j7k8l9", "1a2s3d4f5g6h7j8k9l", "z1x2c3v4b5n6m7", "1z2x3c4v5b6n7m",
		"azsxdcfvgbhnjmk", "zaxscdvfbgnhmjk", "qwaszx", "12qwaszx34erdfcv56tyghbn", "12qw34er56ty78ui90op",
		"qweasdzxcrtyfghvbn", "123qweasdzxc", "1234qwerasdfzxcv", "12345qwertasdfgzxcvb", "qwertyasdfghzxcvbn", "123qwe456rty789uio",
		"147258369", "147852369", "741852963", "789456123", "123654789", "987456321",
	}
)

// leastLine is the shortest part of a line that is a pattern and no coincidence.
const leastLine = 4

// lineAt returns the longest part of a line that text begins with, zero if it is too short to count.
func lineAt(text []rune, e *effort) (k kind, length int) {
	for n := leastLine; n <= len(text) && e.spend(2*(len(sequences)+len(keyboards))); n++ {
		next := lineKind(text[:n])
		if next == 0 { // and nothing longer is in a line either
			break
		}
		k, length = next, n
	}
	return k, length
}

func lineKind(part []rune) kind {
	mirrored := slices.Clone(part)
	slices.Reverse(mirrored)
	forward, back := string(part), string(mirrored)
	in := func(line string) bool { return strings.Contains(line, forward) || strings.Contains(line, back) }
	switch {
	case slices.ContainsFunc(sequences, in):
		return ofSequence
	case slices.ContainsFunc(keyboards, in):
		return ofKeyboard
	}
	return 0
}
