package authtest

import (
	"context"
	"errors"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/store/memory"
)

// directory is a sound one with hooks; hooks that are nil do nothing.
type directory struct {
	auth.Directory
	find   func(auth.Account, error) (auth.Account, error) // of both finds
	byID   func(ctx context.Context, id string) (auth.Account, error)
	byName func(ctx context.Context, identifier string) (auth.Account, error)
	create func(ctx context.Context, a auth.Account) error
	change func(ctx context.Context, id, from, to, display string) error
}

func hookDirectory() *directory { return &directory{Directory: memory.New()} }

func (d *directory) FindByID(ctx context.Context, id string) (a auth.Account, err error) {
	if d.byID != nil {
		return d.byID(ctx, id)
	}
	a, err = d.Directory.FindByID(ctx, id)
	if d.find != nil {
		return d.find(a, err)
	}
	return a, err
}

func (d *directory) FindByIdentifier(ctx context.Context, identifier string) (auth.Account, error) {
	if d.byName != nil {
		return d.byName(ctx, identifier)
	}
	a, err := d.Directory.FindByIdentifier(ctx, identifier)
	if d.find != nil {
		return d.find(a, err)
	}
	return a, err
}

func (d *directory) Create(ctx context.Context, a auth.Account) error {
	if d.create != nil {
		return d.create(ctx, a)
	}
	return d.Directory.Create(ctx, a)
}

func (d *directory) ChangeIdentifier(ctx context.Context, id, from, to, display string) error {
	if d.change != nil {
		return d.change(ctx, id, from, to, display)
	}
	return d.Directory.ChangeIdentifier(ctx, id, from, to, display)
}

// brokenDirectory returns a maker of a directory that fault has broken.
func brokenDirectory(fault func(d *directory)) func() auth.Directory {
	return func() auth.Directory {
		d := hookDirectory()
		fault(d)
		return d
	}
}

// deafDirectory does not tell errors of Create (from the n-th on).
func deafDirectory(n int32) func() auth.Directory {
	return brokenDirectory(func(d *directory) {
		deaf := lateSwallow(n, auth.ErrTaken)
		d.create = func(ctx context.Context, a auth.Account) error { return deaf(d.Directory.Create(ctx, a)) }
	})
}

// deafChange does not tell the error of ChangeIdentifier (from the n-th on).
func deafChange(n int32, which error) func() auth.Directory {
	return brokenDirectory(func(d *directory) {
		deaf := lateSwallow(n, which)
		d.change = func(ctx context.Context, id, from, to, display string) error {
			return deaf(d.Directory.ChangeIdentifier(ctx, id, from, to, display))
		}
	})
}

var brokenDirectories = map[string]func() auth.Directory{
	"unknown is not found": brokenDirectory(func(d *directory) {
		d.find = func(a auth.Account, err error) (auth.Account, error) { return a, swallow(err, auth.ErrNotFound) }
	}),
	"created is found whole": brokenDirectory(func(d *directory) {
		d.find = func(a auth.Account, err error) (auth.Account, error) {
			a.CreatedAt = a.CreatedAt.Truncate(time.Second)
			return a, err
		}
	}),
	"keys are not mixed up": brokenDirectory(func(d *directory) {
		d.byID = func(ctx context.Context, id string) (auth.Account, error) {
			a, err := d.Directory.FindByID(ctx, id)
			if errors.Is(err, auth.ErrNotFound) {
				return d.Directory.FindByIdentifier(ctx, id)
			}
			return a, err
		}
	}),
	"an id is used once":                 deafDirectory(1),
	"an identifier is used once":         deafDirectory(1),
	"one creation of an id wins":         deafDirectory(3),
	"one creation of an identifier wins": deafDirectory(3),
	"an identifier changes": brokenDirectory(func(d *directory) {
		d.change = func(ctx context.Context, id, from, to, _ string) error {
			return d.Directory.ChangeIdentifier(ctx, id, from, to, from)
		}
	}),
	"an identifier changes to itself": brokenDirectory(func(d *directory) {
		d.change = func(ctx context.Context, id, from, to, display string) error {
			if _, err := d.Directory.FindByIdentifier(ctx, to); err == nil {
				return auth.ErrTaken
			}
			return d.Directory.ChangeIdentifier(ctx, id, from, to, display)
		}
	}),
	"a change needs the account": deafChange(1, auth.ErrNotFound),
	"a change needs what was seen": brokenDirectory(func(d *directory) {
		d.change = func(ctx context.Context, id, _, to, display string) error {
			a, err := d.Directory.FindByID(ctx, id)
			if err != nil {
				return err
			}
			return d.Directory.ChangeIdentifier(ctx, id, a.Identifier, to, display)
		}
	}),
	"a change takes no one's identifier": deafChange(1, auth.ErrTaken),
	"a change sets the old identifier free": brokenDirectory(func(d *directory) {
		used := map[string]bool{}
		d.create = func(ctx context.Context, a auth.Account) error {
			if used[a.Identifier] {
				return auth.ErrTaken
			}
			used[a.Identifier] = true
			return d.Directory.Create(ctx, a)
		}
	}),
	"one change of an account wins":    deafChange(3, auth.ErrStale),
	"one change to an identifier wins": deafChange(3, auth.ErrTaken),
	"strings are opaque": brokenDirectory(func(d *directory) {
		d.create = func(ctx context.Context, a auth.Account) error {
			a.Identifier = fold(a.Identifier)
			return d.Directory.Create(ctx, a)
		}
		d.byName = func(ctx context.Context, identifier string) (auth.Account, error) {
			return d.Directory.FindByIdentifier(ctx, fold(identifier))
		}
	}),
	"a done context changes nothing": brokenDirectory(func(d *directory) {
		d.create = func(ctx context.Context, a auth.Account) error {
			_ = d.Directory.Create(context.WithoutCancel(ctx), a)
			return ctx.Err()
		}
	}),
}
