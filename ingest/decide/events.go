package decide

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/wire"
)

// replayAge is how old a window must be when it is decided about for the decision to be one about the past. Live windows are decided
// about within seconds; what lies further back is a recording, or a backlog that is too old to act on.
const replayAge = 10 * time.Minute

// Events signs what a service says, and knows what the log already holds.
type Events struct {
	Source string // of the CloudEvents, for example "/weir/forecast"
	Key    ed25519.PrivateKey
	// Published returns the ids of the events of a topic whose event time lies after the given one.
	Published func(ctx context.Context, topic string, after time.Time) (map[string]bool, error)
}

// topicEvent is an event and where it belongs.
type topicEvent struct {
	wire.Event
	topic string
}

// After returns the ids of all alerts and decisions in the log that speak of a time after t.
func (e *Events) After(ctx context.Context, t time.Time) (map[string]bool, error) {
	all := map[string]bool{}
	for _, topic := range []string{wire.TopicAlerts, wire.TopicDecisions} {
		ids, err := e.Published(ctx, topic, t)
		if err != nil {
			return nil, fmt.Errorf("read what %s holds after %s: %w", topic, t.Format(time.RFC3339), err)
		}
		for id := range ids {
			all[id] = true
		}
	}
	return all, nil
}

// encode turns findings and decisions into signed events. now is the wall clock.
func (e *Events) encode(out Output, now time.Time) ([]topicEvent, []schemas.SignedDecision, error) {
	var events []topicEvent
	for _, f := range out.Findings {
		event, err := wire.EncodeFinding(f, e.Source)
		if err != nil {
			return nil, nil, fmt.Errorf("encode finding %s: %w", f.ID, err)
		}
		if err := wire.Sign(&event, e.Key); err != nil {
			return nil, nil, fmt.Errorf("sign finding %s: %w", f.ID, err)
		}
		events = append(events, topicEvent{event, wire.TopicAlerts})
	}
	var signed []schemas.SignedDecision
	for _, d := range out.Decisions {
		d.Replay = now.Sub(d.MadeAt) > replayAge
		event, err := wire.EncodeDecision(d, e.Source)
		if err != nil {
			return nil, nil, fmt.Errorf("encode decision %s: %w", d.ID, err)
		}
		if err := wire.Sign(&event, e.Key); err != nil {
			return nil, nil, fmt.Errorf("sign decision %s: %w", d.ID, err)
		}
		events = append(events, topicEvent{event, wire.TopicDecisions})
		signed = append(signed, schemas.SignedDecision{Decision: d, Signature: event.Signature, KeyID: event.KeyID})
	}
	return events, signed, nil
}
