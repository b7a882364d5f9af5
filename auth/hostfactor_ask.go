package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
)

// hostAnswer is what came of a question to the host.
type hostAnswer[T any] struct {
	value T
	ok    bool
	err   error
}

// askHost asks the host a question about what was typed, and waits until ctx is done. The host's code runs in a
// goroutine of its own, so that it may hang or panic there: it costs no more than the request that asked. An answer
// that comes too late reaches nobody.
func askHost[T any](ctx context.Context, s *Service, typed Secret, question func() (T, bool, error)) (T, bool, error) {
	answers := make(chan hostAnswer[T], 1) // room for an answer that nobody waits for any more
	go func() {
		a := hostAnswer[T]{err: errors.New("auth: host factor: it ended its goroutine")}
		defer func() {
			if caught := recover(); caught != nil {
				a = hostAnswer[T]{err: s.hostPanicked(ctx, caught)}
			}
			answers <- a
		}()
		value, ok, err := question()
		a = hostAnswer[T]{value, ok && err == nil, hostFault(err, typed)}
	}()
	select {
	case a := <-answers:
		return a.value, a.ok, a.err
	case <-ctx.Done():
		var none T
		return none, false, fmt.Errorf("auth: host factor: no answer: %w", ctx.Err())
	}
}

// hostFault makes a fault of a host's error. Its chain ends here: a refusal or one of our sentinels in it would be
// taken for the word of the service, and so let the host show a reason, or make a step look as if it had not been
// taken. What was typed is a secret; an error that quotes it is mended.
func hostFault(err error, typed Secret) error {
	if err == nil {
		return nil
	}
	return errors.New("auth: host factor: " + strings.ReplaceAll(err.Error(), typed.Reveal(), redacted))
}

// hostPanicked records a panic and makes a fault of it. Its text may hold anything, what was typed too, so only the
// runtime's own errors are told in full.
func (s *Service) hostPanicked(ctx context.Context, caught any) error {
	s.log.LogAttrs(ctx, slog.LevelError, "panic", slog.String("where", "host factor"), slog.String("stack", string(debug.Stack())))
	if err, ok := caught.(runtime.Error); ok {
		return fmt.Errorf("auth: host factor: panic: %s", err)
	}
	return fmt.Errorf("auth: host factor: panic of type %T", caught)
}
