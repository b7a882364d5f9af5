package authtest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/store/memory"
	"github.com/cardea-auth/cardea/session"
)

// trustStore is a sound store with hooks; hooks that are nil do nothing.
type trustStore struct {
	session.TrustStore
	put     func(ctx context.Context, r session.TrustRecord, now time.Time, limit int) error
	find    func(ctx context.Context, account string, device [32]byte) (session.TrustRecord, error)
	touch   func(ctx context.Context, account string, device [32]byte, epoch uint64, seen time.Time) error
	restamp func(ctx context.Context, account string, device [32]byte, from, to uint64) error
	list    func(ctx context.Context, account string, epoch uint64, now time.Time, limit int) ([]session.TrustRecord, error)
	rename  func(ctx context.Context, account, id, name string) error
	remove  func(ctx context.Context, account, id string) error
	all     func(ctx context.Context, account string) error
	sweep   func(ctx context.Context, now time.Time, limit int) (int, error)
}

func (t *trustStore) PutTrust(ctx context.Context, r session.TrustRecord, now time.Time, limit int) error {
	if t.put != nil {
		return t.put(ctx, r, now, limit)
	}
	return t.TrustStore.PutTrust(ctx, r, now, limit)
}

func (t *trustStore) FindTrust(ctx context.Context, account string, device [32]byte) (session.TrustRecord, error) {
	if t.find != nil {
		return t.find(ctx, account, device)
	}
	return t.TrustStore.FindTrust(ctx, account, device)
}

func (t *trustStore) TouchTrust(ctx context.Context, account string, device [32]byte, epoch uint64, seen time.Time) error {
	if t.touch != nil {
		return t.touch(ctx, account, device, epoch, seen)
	}
	return t.TrustStore.TouchTrust(ctx, account, device, epoch, seen)
}

func (t *trustStore) RestampTrust(ctx context.Context, account string, device [32]byte, from, to uint64) error {
	if t.restamp != nil {
		return t.restamp(ctx, account, device, from, to)
	}
	return t.TrustStore.RestampTrust(ctx, account, device, from, to)
}

func (t *trustStore) ListTrust(ctx context.Context, account string, epoch uint64, now time.Time, limit int) ([]session.TrustRecord, error) {
	if t.list != nil {
		return t.list(ctx, account, epoch, now, limit)
	}
	return t.TrustStore.ListTrust(ctx, account, epoch, now, limit)
}

func (t *trustStore) RenameTrust(ctx context.Context, account, id, name string) error {
	if t.rename != nil {
		return t.rename(ctx, account, id, name)
	}
	return t.TrustStore.RenameTrust(ctx, account, id, name)
}

func (t *trustStore) RemoveTrust(ctx context.Context, account, id string) error {
	if t.remove != nil {
		return t.remove(ctx, account, id)
	}
	return t.TrustStore.RemoveTrust(ctx, account, id)
}

func (t *trustStore) RemoveAllTrust(ctx context.Context, account string) error {
	if t.all != nil {
		return t.all(ctx, account)
	}
	return t.TrustStore.RemoveAllTrust(ctx, account)
}

func (t *trustStore) SweepTrust(ctx context.Context, now time.Time, limit int) (int, error) {
	if t.sweep != nil {
		return t.sweep(ctx, now, limit)
	}
	return t.TrustStore.SweepTrust(ctx, now, limit)
}

func brokenTrust(fault func(t *trustStore)) func() session.TrustStore {
	return func() session.TrustStore {
		t := &trustStore{TrustStore: memory.New()}
		fault(t)
		return t
	}
}

// bentPut changes what is put.
func bentPut(bend func(t *trustStore, r *session.TrustRecord, now *time.Time, limit *int)) func() session.TrustStore {
	return brokenTrust(func(t *trustStore) {
		t.put = func(ctx context.Context, r session.TrustRecord, now time.Time, limit int) error {
			bend(t, &r, &now, &limit)
			return t.TrustStore.PutTrust(ctx, r, now, limit)
		}
	})
}

// deafPut swallows a refusal from its n-th time on.
func deafPut(n int32, which error) func() session.TrustStore {
	return brokenTrust(func(t *trustStore) {
		late := lateSwallow(n, which)
		t.put = func(ctx context.Context, r session.TrustRecord, now time.Time, limit int) error {
			return late(t.TrustStore.PutTrust(ctx, r, now, limit))
		}
	})
}

var brokenTrusts = map[string]func() session.TrustStore{
	"unknown trust is not found": brokenTrust(func(t *trustStore) {
		t.find = func(ctx context.Context, account string, device [32]byte) (session.TrustRecord, error) {
			r, err := t.TrustStore.FindTrust(ctx, account, device)
			return r, swallow(err, auth.ErrNotFound)
		}
	}),
	"put trust is found whole": bentPut(func(_ *trustStore, r *session.TrustRecord, _ *time.Time, _ *int) {
		r.ExpiresAt = r.ExpiresAt.Truncate(time.Second)
	}),
	"a device is trusted once": brokenTrust(func(t *trustStore) { // the id of the replaced one still ends something
		t.remove = func(ctx context.Context, account, id string) error {
			return swallow(t.TrustStore.RemoveTrust(ctx, account, id), auth.ErrNotFound)
		}
	}),
	"a name outlasts its record": bentPut(func(t *trustStore, r *session.TrustRecord, _ *time.Time, _ *int) {
		if old, err := t.TrustStore.FindTrust(context.Background(), r.Account, r.Device); err == nil && r.Name == "" {
			_ = t.TrustStore.RenameTrust(context.Background(), r.Account, old.ID, "")
		}
	}),
	"an id names one trust": deafPut(1, auth.ErrTaken),
	"trust of an older epoch is not put": brokenTrust(func(t *trustStore) {
		t.put = func(ctx context.Context, r session.TrustRecord, now time.Time, limit int) error {
			err := t.TrustStore.PutTrust(ctx, r, now, limit)
			if errors.Is(err, auth.ErrStale) {
				_ = t.TrustStore.RemoveAllTrust(ctx, r.Account)
				err = t.TrustStore.PutTrust(ctx, r, now, limit)
			}
			return err
		}
	}),
	"dead trust makes way": bentPut(func(_ *trustStore, _ *session.TrustRecord, now *time.Time, _ *int) { *now = now.Add(-tick) }),
	"trust keeps to its limit": bentPut(func(_ *trustStore, _ *session.TrustRecord, _ *time.Time, limit *int) {
		if *limit == 3 {
			*limit = 4
		}
	}),
	"one trust of an id wins": deafPut(3, auth.ErrTaken),
	"the limit holds at once": brokenTrust(func(t *trustStore) {
		late, turn := from(6), sync.Mutex{}
		t.put = func(ctx context.Context, r session.TrustRecord, now time.Time, limit int) error {
			turn.Lock() // a put decided early that lands last would trim the rest, and hide the fault
			defer turn.Unlock()
			if late() {
				limit = 50
			}
			return t.TrustStore.PutTrust(ctx, r, now, limit)
		}
	}),
	"trust is found whatever became of it": brokenTrust(func(t *trustStore) {
		t.find = func(ctx context.Context, account string, device [32]byte) (session.TrustRecord, error) {
			r, err := t.TrustStore.FindTrust(ctx, account, device)
			if err == nil && !r.ExpiresAt.After(start) {
				return session.TrustRecord{}, auth.ErrNotFound
			}
			return r, err
		}
	}),
	"use is recorded": brokenTrust(func(t *trustStore) {
		t.touch = func(ctx context.Context, account string, device [32]byte, _ uint64, seen time.Time) error {
			return t.TrustStore.TouchTrust(ctx, account, device, 1, seen) // whatever the epoch
		}
	}),
	"use makes no trust": brokenTrust(func(t *trustStore) {
		t.touch = func(ctx context.Context, account string, device [32]byte, epoch uint64, seen time.Time) error {
			if _, err := t.TrustStore.FindTrust(ctx, account, device); err != nil {
				return t.TrustStore.PutTrust(ctx, session.TrustRecord{ID: "touched", Account: account, Device: device, Epoch: epoch, ExpiresAt: at(time.Hour)}, start, 50)
			}
			return t.TrustStore.TouchTrust(ctx, account, device, epoch, seen)
		}
	}),
	"restamped trust moves on": brokenTrust(func(t *trustStore) {
		t.restamp = func(ctx context.Context, account string, device [32]byte, from, to uint64) error {
			list, _ := t.TrustStore.ListTrust(ctx, account, from, start, 50)
			for _, r := range list {
				if r.Device != device {
					_ = t.TrustStore.RestampTrust(ctx, account, r.Device, from, to)
				}
			}
			return t.TrustStore.RestampTrust(ctx, account, device, from, to)
		}
	}),
	"trust of another epoch is not restamped": brokenTrust(func(t *trustStore) {
		t.restamp = func(ctx context.Context, account string, device [32]byte, from, to uint64) error {
			if r, err := t.TrustStore.FindTrust(ctx, account, device); err == nil {
				from = r.Epoch
			}
			return t.TrustStore.RestampTrust(ctx, account, device, from, to)
		}
	}),
	"trust moves forward only": brokenTrust(func(t *trustStore) {
		t.restamp = func(ctx context.Context, account string, device [32]byte, from, to uint64) error {
			if to <= from {
				return auth.ErrNotFound
			}
			return t.TrustStore.RestampTrust(ctx, account, device, from, to)
		}
	}),
	"one restamp wins": brokenTrust(func(t *trustStore) {
		late := lateSwallow(3, auth.ErrNotFound)
		t.restamp = func(ctx context.Context, account string, device [32]byte, from, to uint64) error {
			return late(t.TrustStore.RestampTrust(ctx, account, device, from, to))
		}
	}),
	"the list is of what counts": brokenTrust(func(t *trustStore) {
		t.list = func(ctx context.Context, account string, epoch uint64, now time.Time, limit int) ([]session.TrustRecord, error) {
			return t.TrustStore.ListTrust(ctx, account, epoch, now.Add(-tick), limit)
		}
	}),
	"the list begins with what was used last": brokenTrust(func(t *trustStore) {
		t.list = func(ctx context.Context, account string, epoch uint64, now time.Time, _ int) ([]session.TrustRecord, error) {
			return t.TrustStore.ListTrust(ctx, account, epoch, now, 100)
		}
	}),
	"a device is renamed": brokenTrust(func(t *trustStore) {
		t.rename = func(ctx context.Context, account, id, name string) error {
			if name == "" {
				return nil
			}
			return t.TrustStore.RenameTrust(ctx, account, id, name)
		}
	}),
	"removed trust is gone": brokenTrust(func(t *trustStore) { // by its id, whoever's it is
		t.remove = func(ctx context.Context, account, id string) error {
			err := t.TrustStore.RemoveTrust(ctx, account, id)
			if errors.Is(err, auth.ErrNotFound) {
				return t.TrustStore.RemoveTrust(ctx, "a2", id)
			}
			return err
		}
	}),
	"all trust is removed": brokenTrust(func(t *trustStore) { // of one epoch only
		t.all = func(ctx context.Context, account string) error {
			list, err := t.TrustStore.ListTrust(ctx, account, 1, start, 50)
			for _, r := range list {
				err = errors.Join(err, t.TrustStore.RemoveTrust(ctx, account, r.ID))
			}
			return err
		}
	}),
	"a sweep deletes expired trust": brokenTrust(func(t *trustStore) {
		t.sweep = func(ctx context.Context, now time.Time, limit int) (int, error) {
			return t.TrustStore.SweepTrust(ctx, now.Add(-tick), limit)
		}
	}),
	"names of trust are opaque": bentPut(func(_ *trustStore, r *session.TrustRecord, _ *time.Time, _ *int) { r.Name = trim(r.Name) }),
	"trust under a done context stays": brokenTrust(func(t *trustStore) {
		t.rename = func(ctx context.Context, account, id, name string) error {
			_ = t.TrustStore.RenameTrust(context.WithoutCancel(ctx), account, id, name)
			return ctx.Err()
		}
	}),
}
