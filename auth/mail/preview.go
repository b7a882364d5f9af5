package mail

import (
	"context"
	"slices"
	"sync"
)

// Preview is a Sender that keeps the last messages in memory instead of sending them, for development: a page
// of the site can show them. It holds live links and codes, so it MUST NOT be used where anybody but the
// developer can see it. The zero value keeps 20 messages. It is safe for concurrent use.
type Preview struct {
	// Keep is how many messages are kept; zero means 20. It must not be changed once the Preview is in use.
	Keep int

	mu       sync.Mutex
	messages []Message
}

// Send implements Sender. A message that is sent again takes the place of the earlier one.
func (p *Preview) Send(ctx context.Context, m Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	keep := p.Keep
	if keep <= 0 {
		keep = 20
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.messages = slices.DeleteFunc(p.messages, func(old Message) bool { return old.MessageID == m.MessageID })
	p.messages = append(p.messages, m)
	p.messages = slices.Clone(p.messages[max(0, len(p.messages)-keep):])
	return nil
}

// Messages returns what was sent, the last message first.
func (p *Preview) Messages() []Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.Clone(p.messages)
	slices.Reverse(all)
	return all
}
