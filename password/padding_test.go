package password_test

import (
	"crypto"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/password"
)

// meter adds up the time that work would take.
type meter struct {
	spent float64 // nanoseconds
	peak  int64   // bytes
	price float64 // of a KiB of Argon2id
	fixed float64 // of each piece of work, whatever its size
	noise func() float64

	argon2 bool // the last piece of work was Argon2id's
}

func (m *meter) derive(pw, _ []byte, passes, memory uint32, _ uint8, size uint32) []byte {
	m.work(m.price*float64(passes)*float64(memory), int64(memory)<<10)
	m.argon2 = true
	sum := make([]byte, 64)
	copy(sum, pw)
	return sum[:size]
}

func (m *meter) work(nanos float64, memory int64) {
	nanos += m.fixed
	if m.noise != nil {
		nanos *= m.noise()
	}
	m.spent += nanos
	m.argon2 = false
	m.peak = max(m.peak, memory)
}

func (m *meter) measure(work func()) time.Duration {
	before := m.spent
	work()
	return time.Duration(m.spent - before)
}

// metered is a host's own format: "$name$cost$password".
type metered struct {
	name   string
	units  int64   // of the dearest
	price  float64 // of a unit
	coarse bool    // costs are powers of two
	byText bool    // each byte of the password costs another hundredth
	memory int64
	*meter
}

func (f metered) Name() string               { return f.name }
func (f metered) Claims(encoded string) bool { return strings.HasPrefix(encoded, "$"+f.name+"$") }

func (f metered) Parse(encoded string) (password.Hash, error) {
	fields := strings.Split(encoded, "$")
	if len(fields) != 4 {
		return nil, errors.New("no such hash")
	}
	n, err := strconv.ParseInt(fields[2], 10, 64)
	return meteredHash{f, n, fields[3]}, err
}

func (f metered) Decoy(share float64) password.Hash {
	n := int64(share * float64(f.units))
	if f.coarse && n > 0 {
		n = 1 << int(math.Log2(float64(n)))
	}
	if n == 0 {
		return nil
	}
	return meteredHash{f, n, "nobody's"}
}

type meteredHash struct {
	metered
	cost int64
	is   string
}

func (h meteredHash) Memory() int64 { return h.memory }

func (h meteredHash) Work(size int) int64 {
	if h.byText {
		return h.cost * int64(100+size)
	}
	return h.cost * 100
}

func (h meteredHash) Matches(pw []byte) bool {
	h.work(float64(h.Work(len(pw)))/100*h.price, h.memory)
	return string(pw) == h.is
}

func newMetered(t *testing.T, m *meter, formats ...metered) *password.Hasher {
	t.Helper()
	c := password.Config{Memory: 2 << 30}
	for i := range formats {
		formats[i].meter = m
		c.Imported = append(c.Imported, formats[i])
	}
	h, err := password.NewWithStopwatch(c, m.derive, m.measure)
	require.NoError(t, err)
	return h
}

// paddings are installations: what a KiB of Argon2id takes (a new hash has 47,104), and the formats.
var paddings = []struct {
	name    string
	price   float64
	formats []metered
}{
	{"one much slower", 1000, []metered{{name: "slow", units: 4096, price: 1e5, coarse: true}}},
	{"one slower, of another pace", 1000, []metered{{name: "slow", units: 600_000, price: 150}}},
	{"all cheaper than a new hash", 1000, []metered{{name: "slow", units: 1000, price: 100}, {name: "mid", units: 100_000, price: 150}}},
	{"two, the first slower", 1000, []metered{{name: "slow", units: 2048, price: 2e5, coarse: true}, {name: "mid", units: 300_000, price: 300}}},
	{"two, the second slower", 2000, []metered{{name: "mid", units: 1 << 10, price: 1e5, coarse: true}, {name: "slow", units: 1_000_000, price: 300}}},
	{"a free one", 1000, []metered{{name: "slow", units: 1, price: 0.001}}},
	{"by the text", 1000, []metered{{name: "slow", units: 500_000, price: 200, byText: true}, {name: "mid", units: 1 << 12, price: 28000, coarse: true}}},
}

func TestAllAnswersTakeTheTimeOfTheSlowest(t *testing.T) {
	for _, row := range paddings {
		for _, size := range []int{16, 200} {
			m := &meter{price: row.price}
			h := newMetered(t, m, row.formats...)
			typed := auth.NewSecret(strings.Repeat("x", size))
			own, err := h.Hash(t.Context(), typed, false)
			require.NoError(t, err)
			hashes := map[string]string{"unknown": "", "new": own, "unreadable": "$nothing", "without a password": "!unusable", "dear": "$slow$999999999$x"}
			slowest := row.price * 47104
			for _, f := range row.formats {
				f.meter = m
				slowest = max(slowest, float64(meteredHash{metered: f, cost: f.units}.Work(size))/100*f.price)
				for _, part := range []int64{1, 2, 3, 10, 100} {
					for _, is := range []string{typed.Reveal(), "another"} {
						hashes[fmt.Sprint(f.name, part, is[:2])] = fmt.Sprintf("$%s$%d$%s", f.name, max(f.units/part, 1), is)
					}
				}
			}
			for name, hash := range hashes {
				m.spent = 0
				match, upgrade, err := h.Verify(t.Context(), hash, typed, false)
				require.Equal(t, name == "unreadable" || name == "dear", err != nil, name)
				require.Equal(t, strings.HasSuffix(hash, typed.Reveal()) && hash != "" || name == "new", match, name)
				require.Equal(t, match && name != "new", upgrade, name)
				require.InEpsilon(t, slowest, m.spent, 0.03, "%s, %d bytes: %s", row.name, size, name)
			}
		}
	}
}

func TestInputThatIsNoPasswordTakesTheSameTime(t *testing.T) {
	m := &meter{price: 1000}
	h := newMetered(t, m, metered{name: "slow", units: 4096, price: 1e5, coarse: true}, metered{name: "mid", units: 10, price: 100})
	for _, pw := range []string{"", "\xff", strings.Repeat("a", 300), strings.Repeat("a", 1<<20), "a"} {
		for _, hash := range []string{"", "$slow$4096$", "$slow$1$", "$mid$3$", "nonsense"} {
			m.spent = 0
			match, _, _ := h.Verify(t.Context(), hash, auth.NewSecret(pw), false)
			require.False(t, match)
			require.InEpsilon(t, 4096e5, m.spent, 0.03)
		}
	}
}

func TestCalibrationForgivesDisturbance(t *testing.T) {
	// Whatever else runs while New measures makes some runs longer. One that is very much longer must not make a
	// tiny piece of work look long enough to be measured: its time is what any work takes, however small.
	for _, noise := range [][]float64{{3, 1, 2, 1.5}, {100, 1, 1, 1, 1, 1, 1}, {1, 100, 1, 1, 1}} {
		n := 0
		m := &meter{price: 1000, fixed: 1e5, noise: func() float64 {
			n++
			return noise[n%len(noise)]
		}}
		h := newMetered(t, m, metered{name: "slow", units: 600_000, price: 150})
		m.noise = nil
		own, err := h.Hash(t.Context(), auth.NewSecret("typed"), false)
		require.NoError(t, err)
		for _, hash := range []string{"", own, "$slow$1$", "$slow$300000$", "$slow$600000$"} {
			m.spent = 0
			_, _, err := h.Verify(t.Context(), hash, auth.NewSecret("typed"), false)
			require.NoError(t, err)
			require.InEpsilon(t, 600_000*150, m.spent, 0.05, "%v: %.12s", noise, hash)
		}
	}
}

func TestNewMeasuresShortly(t *testing.T) {
	for _, row := range paddings {
		m := &meter{price: row.price}
		newMetered(t, m, row.formats...)
		require.Less(t, time.Duration(m.spent), 200*time.Millisecond, row.name)
	}
	m := &meter{price: 1000}
	_, err := password.NewWithStopwatch(password.Config{}, m.derive, m.measure)
	require.NoError(t, err)
	require.Zero(t, m.spent, "without formats there is nothing to measure")
}

func TestPasswordsAlsoCountAsTyped(t *testing.T) {
	// Other systems hashed the bytes that arrived. Some devices send accents apart from their letters, so both
	// forms are tried; all accounts pay for it, or the time would tell which are imported.
	m := &meter{price: 1000}
	h := newMetered(t, m, metered{name: "slow", units: 4096, price: 1e5, coarse: true})
	composed, apart := "Zürich über alles", norm.NFD.String("Zürich über alles")
	own, err := h.Hash(t.Context(), auth.NewSecret(apart), false)
	require.NoError(t, err)
	for _, row := range []struct {
		name, hash, typed string
		match             bool
	}{
		{"apart, as then", "$slow$64$" + apart, apart, true},
		{"composed, as then", "$slow$64$" + composed, composed, true},
		{"composed then, apart now", "$slow$64$" + composed, apart, true},
		{"apart then, composed now", "$slow$64$" + apart, composed, false}, // there are many ways to take apart
		{"new", own, apart, true},
		{"new, composed", own, composed, true},
		{"unknown", "", apart, false},
		{"unreadable", "?", apart, false},
	} {
		m.spent = 0
		match, _, _ := h.Verify(t.Context(), row.hash, auth.NewSecret(row.typed), false)
		require.Equal(t, row.match, match, row.name)
		times := 1.0
		if row.typed == apart {
			times = 2
		}
		require.InEpsilon(t, times*4096e5, m.spent, 0.03, row.name)
	}
}

// A server often starts when its machine is busiest. What New measured then is put right by what it computes
// afterwards, whichever kind was taken for slower than it is.
func TestSignInsPutTheMeasurementRight(t *testing.T) {
	for _, argon2 := range []bool{true, false} { // which kind seemed to be slow
		m := &meter{price: 1000}
		slow := metered{name: "slow", units: 64, price: 1e6, meter: m}
		starting := true
		c := password.Config{Memory: 2 << 30, Imported: []password.Format{slow}}
		h, err := password.NewWithStopwatch(c, m.derive, func(work func()) time.Duration {
			took := m.measure(work)
			if starting && m.argon2 == argon2 {
				return 4 * took
			}
			return took
		})
		require.NoError(t, err)
		starting = false
		own, err := h.Hash(t.Context(), auth.NewSecret("typed"), false)
		require.NoError(t, err)
		hashes := []string{"", own, "$slow$64$typed", "$slow$16$typed"}
		for _, hash := range hashes {
			_, _, _ = h.Verify(t.Context(), hash, auth.NewSecret("other"), false)
		}
		for _, hash := range hashes {
			m.spent = 0
			_, _, err := h.Verify(t.Context(), hash, auth.NewSecret("other"), false)
			require.NoError(t, err)
			require.InEpsilon(t, 64e6, m.spent, 0.03, hash)
		}
	}
}

// New hashes take much memory, and are seldom as fast as when New measured them at their best.
func TestSignInsLearnWhatIsUsual(t *testing.T) {
	m := &meter{price: 1000}
	h := newMetered(t, m, metered{name: "slow", units: 64, price: 1e6})
	own, err := h.Hash(t.Context(), auth.NewSecret("typed"), false)
	require.NoError(t, err)
	m.price = 1200
	spent := func(hash string) float64 {
		m.spent = 0
		_, _, err := h.Verify(t.Context(), hash, auth.NewSecret("other"), false)
		require.NoError(t, err)
		return m.spent
	}
	require.Greater(t, spent(own), 1.1*spent(""))
	for range 20 {
		spent(own)
	}
	require.InEpsilon(t, spent(""), spent(own), 0.05)
	m.noise = func() float64 { return 100 } // one answer that was disturbed changes little
	spent(own)
	m.noise = nil
	require.InEpsilon(t, spent(""), spent(own), 0.07)
}

func TestEveryAnswerHoldsTheSameMemory(t *testing.T) {
	// Or, at a gate that is nearly full, a cheap answer would be let in and a dear one told to wait.
	m := &meter{price: 1000}
	slow := metered{name: "slow", units: 64, price: 1e6}
	mid := metered{name: "mid", units: 64, price: 1e4, memory: 200 << 20} // not the slowest, but the largest
	h := newMetered(t, m, slow, mid)
	own, err := h.Hash(t.Context(), auth.NewSecret("typed"), false)
	require.NoError(t, err)
	for _, hash := range []string{"", own, "$slow$64$", "$slow$1$", "$mid$64$", "nonsense"} {
		require.Equal(t, int64(200<<20), password.ReservedFor(h, hash), hash)
	}
	require.Equal(t, int64(46<<20), password.ReservedFor(newHasher(t, password.Config{}), ""))
}

func TestTheAmbiguousIsNotRead(t *testing.T) {
	m := &meter{price: 1000}
	h := newMetered(t, m, metered{name: "a", units: 1, price: 1}, metered{name: "a$b", units: 1, price: 1})
	_, _, err := h.Verify(t.Context(), "$a$b$1", auth.NewSecret("typed"), false)
	require.ErrorContains(t, err, "a and a$b both claim it")
}

// TestAnswersTakeEquallyLong measures the real thing: medians of interleaved samples. The factor is wide, for
// other work on the machine disturbs it.
func TestAnswersTakeEquallyLong(t *testing.T) {
	c := small()
	c.Imported = []password.Format{password.Bcrypt(10), password.PBKDF2(crypto.SHA256, 30_000)}
	h := newHasher(t, c)
	own, err := h.Hash(t.Context(), auth.NewSecret("correct horse battery staple"), false)
	require.NoError(t, err)
	accounts := []struct{ name, hash string }{
		{"unknown", ""},
		{"new Argon2id", own},
		{"bcrypt of the greatest cost", "$2b$10$" + strings.Repeat(".", 53)},
		{"bcrypt of a lower cost", "$2b$08$" + strings.Repeat(".", 53)},
		{"cheap PBKDF2", "pbkdf2_sha256$3000$seasalt$" + strings.Repeat("A", 43) + "="},
		{"unreadable", "nonsense"},
	}
	ratios := func() (worst float64) {
		rounds := 15
		if testing.Short() {
			rounds = 1
		}
		times := make([][]time.Duration, len(accounts))
		for round := range rounds {
			for n := range accounts {
				i := (n + round) % len(accounts)
				begun := time.Now()
				_, _, err := h.Verify(t.Context(), accounts[i].hash, auth.NewSecret("not the password"), false)
				times[i] = append(times[i], time.Since(begun))
				require.Equal(t, accounts[i].name == "unreadable", err != nil, accounts[i].name)
			}
		}
		unknown := float64(median(times[0]))
		for i, a := range accounts {
			ratio := float64(median(times[i])) / unknown
			t.Logf("%-30s %8.1f ms, ratio %.3f", a.name, float64(median(times[i]).Microseconds())/1000, ratio)
			worst = max(worst, ratio, 1/ratio)
		}
		return worst
	}
	if testing.Short() { // under the race detector, which slows some work more than other
		ratios()
		return
	}
	// A busy machine may spoil a measurement, but not three in a row; a difference spoils them all.
	worst := math.Inf(1)
	for try := 0; try < 3 && worst > 1.25; try++ {
		worst = min(worst, ratios())
	}
	require.LessOrEqual(t, worst, 1.25)
}

func median(all []time.Duration) time.Duration {
	all = slices.Clone(all)
	slices.Sort(all)
	return all[len(all)/2]
}
