package authhttp

import (
	"strconv"
	"time"
)

// stamp is a moment, as people speak of it and exactly.
type stamp struct {
	Relative string // "5 minutes ago"
	Exact    string // "3 March 2026, 14:05 UTC"
	Machine  string // RFC 3339, for the datetime attribute
}

const month = 30 * day

func (c *catalog) stamp(t, now time.Time) stamp {
	t = t.UTC()
	return stamp{Relative: c.ago(now.Sub(t), t), Exact: c.exact(t), Machine: t.Format(time.RFC3339)}
}

// ago says how long ago something was; what is longer ago than a month has a date. Clocks of several
// servers differ a little, so the near future is now.
func (c *catalog) ago(since time.Duration, t time.Time) string {
	switch {
	case since < 2*time.Minute:
		return c.text("time.now")
	case since < time.Hour:
		return c.plural("time.minutes-ago", int(since/time.Minute))
	case since < day:
		return c.plural("time.hours-ago", int(since/time.Hour))
	case since < month:
		return c.plural("time.days-ago", int(since/day))
	}
	return c.text("time.on", "date", c.date(t))
}

func (c *catalog) date(t time.Time) string {
	return c.text("time.date", "day", strconv.Itoa(t.Day()), "month", c.text("month."+strconv.Itoa(int(t.Month()))), "year", strconv.Itoa(t.Year()))
}

func (c *catalog) exact(t time.Time) string {
	return c.text("time.exact", "date", c.date(t), "time", t.Format("15:04"))
}

// wait says when something may be tried again. It is rounded up: who waits that long, waits long enough.
func (c *catalog) wait(d time.Duration) string {
	up := func(unit time.Duration) int { return int((max(d, time.Second) + unit - 1) / unit) }
	switch {
	case d <= 90*time.Second:
		return c.plural("wait.seconds", up(time.Second))
	case d <= 90*time.Minute:
		return c.plural("wait.minutes", up(time.Minute))
	}
	return c.plural("wait.hours", up(time.Hour))
}
