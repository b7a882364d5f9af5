package authtest

import (
	"context"
	"errors"
	"time"

	"github.com/cardea-auth/cardea/auth"
	"github.com/cardea-auth/cardea/auth/store/memory"
)

// flowStore is a sound store with hooks; hooks that are nil do nothing.
type flowStore struct {
	auth.FlowStore
	create func(ctx context.Context, r auth.FlowRecord) error
	load   func(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error)
	save   func(ctx context.Context, r auth.FlowRecord) error
	sweep  func(ctx context.Context, now time.Time, limit int) (int, error)
}

func (f *flowStore) CreateFlow(ctx context.Context, r auth.FlowRecord) error {
	if f.create != nil {
		return f.create(ctx, r)
	}
	return f.FlowStore.CreateFlow(ctx, r)
}

func (f *flowStore) LoadFlow(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
	if f.load != nil {
		return f.load(ctx, id, now)
	}
	return f.FlowStore.LoadFlow(ctx, id, now)
}

func (f *flowStore) SaveFlow(ctx context.Context, r auth.FlowRecord) error {
	if f.save != nil {
		return f.save(ctx, r)
	}
	return f.FlowStore.SaveFlow(ctx, r)
}

func (f *flowStore) SweepFlows(ctx context.Context, now time.Time, limit int) (int, error) {
	if f.sweep != nil {
		return f.sweep(ctx, now, limit)
	}
	return f.FlowStore.SweepFlows(ctx, now, limit)
}

func brokenFlow(fault func(f *flowStore)) func() auth.FlowStore {
	return func() auth.FlowStore {
		f := &flowStore{FlowStore: memory.New()}
		fault(f)
		return f
	}
}

func deafFlows(n int32) func() auth.FlowStore {
	return brokenFlow(func(f *flowStore) {
		create, save := lateSwallow(n, auth.ErrTaken), lateSwallow(n, auth.ErrStale)
		f.create = func(ctx context.Context, r auth.FlowRecord) error { return create(f.FlowStore.CreateFlow(ctx, r)) }
		f.save = func(ctx context.Context, r auth.FlowRecord) error { return save(f.FlowStore.SaveFlow(ctx, r)) }
	})
}

var brokenFlows = map[string]func() auth.FlowStore{
	"unknown is not found": brokenFlow(func(f *flowStore) {
		f.load = func(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
			r, err := f.FlowStore.LoadFlow(ctx, id, now)
			return r, swallow(err, auth.ErrNotFound)
		}
	}),
	"created is loaded whole": brokenFlow(func(f *flowStore) {
		f.load = func(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
			r, err := f.FlowStore.LoadFlow(ctx, id, now)
			r.TouchedAt = r.TouchedAt.Truncate(time.Second)
			return r, err
		}
	}),
	"an id is used once": deafFlows(1),
	"one creation wins":  deafFlows(3),
	"a flow expires": brokenFlow(func(f *flowStore) {
		f.load = func(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
			return f.FlowStore.LoadFlow(ctx, id, now.Add(-tick))
		}
	}),
	"a save replaces the record": brokenFlow(func(f *flowStore) {
		f.save = func(ctx context.Context, r auth.FlowRecord) error {
			if old, err := f.FlowStore.LoadFlow(ctx, r.ID, start); err == nil && r.Key == "" {
				r.Key = old.Key
			}
			return f.FlowStore.SaveFlow(ctx, r)
		}
	}),
	"a save follows the stored version": brokenFlow(func(f *flowStore) {
		f.save = func(ctx context.Context, r auth.FlowRecord) error {
			if old, err := f.FlowStore.LoadFlow(ctx, r.ID, start); err == nil && r.Version > old.Version {
				r.Version = old.Version + 1
			}
			return f.FlowStore.SaveFlow(ctx, r)
		}
	}),
	"one save wins": deafFlows(3),
	"a save creates nothing": brokenFlow(func(f *flowStore) {
		f.save = func(ctx context.Context, r auth.FlowRecord) error {
			err := f.FlowStore.SaveFlow(ctx, r)
			if errors.Is(err, auth.ErrStale) {
				return f.FlowStore.CreateFlow(ctx, r)
			}
			return err
		}
	}),
	"flows are apart": brokenFlow(func(f *flowStore) {
		f.save = func(ctx context.Context, r auth.FlowRecord) error {
			other := r
			other.ID = "f2"
			_ = f.FlowStore.SaveFlow(ctx, other)
			return f.FlowStore.SaveFlow(ctx, r)
		}
	}),
	"data given are copied": brokenFlow(func(f *flowStore) {
		given := map[string][]byte{}
		f.create = func(ctx context.Context, r auth.FlowRecord) error {
			given[r.ID] = r.Data
			return f.FlowStore.CreateFlow(ctx, r)
		}
		f.load = func(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
			r, err := f.FlowStore.LoadFlow(ctx, id, now)
			r.Data = given[id]
			return r, err
		}
	}),
	"data returned are copied": brokenFlow(func(f *flowStore) {
		returned := map[string]auth.FlowRecord{}
		f.load = func(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
			if r, ok := returned[id]; ok {
				return r, nil
			}
			r, err := f.FlowStore.LoadFlow(ctx, id, now)
			returned[id] = r
			return r, err
		}
	}),
	"a sweep deletes what expired": brokenFlow(func(f *flowStore) {
		f.sweep = func(ctx context.Context, now time.Time, limit int) (int, error) {
			return f.FlowStore.SweepFlows(ctx, now.Add(-tick), limit)
		}
	}),
	"a sweep keeps to its limit": brokenFlow(func(f *flowStore) {
		f.sweep = func(ctx context.Context, now time.Time, _ int) (int, error) {
			return f.FlowStore.SweepFlows(ctx, now, 1000)
		}
	}),
	"a save prolongs": brokenFlow(func(f *flowStore) {
		f.save = func(ctx context.Context, r auth.FlowRecord) error {
			if old, err := f.FlowStore.LoadFlow(ctx, r.ID, start); err == nil {
				r.ExpiresAt = old.ExpiresAt
			}
			return f.FlowStore.SaveFlow(ctx, r)
		}
	}),
	"ids are opaque": brokenFlow(func(f *flowStore) {
		f.create = func(ctx context.Context, r auth.FlowRecord) error {
			r.ID = fold(r.ID)
			return f.FlowStore.CreateFlow(ctx, r)
		}
		f.load = func(ctx context.Context, id string, now time.Time) (auth.FlowRecord, error) {
			return f.FlowStore.LoadFlow(ctx, fold(id), now)
		}
	}),
	"a done context changes nothing": brokenFlow(func(f *flowStore) {
		f.save = func(ctx context.Context, r auth.FlowRecord) error {
			_ = f.FlowStore.SaveFlow(context.WithoutCancel(ctx), r)
			return ctx.Err()
		}
	}),
}
