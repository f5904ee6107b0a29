package rows

import (
	"github.com/weirmesh/weir/collector/names"
	"github.com/weirmesh/weir/schemas"
)

// sender is what a span says about who sent it, in its own words.
type sender struct {
	resource schemas.Origin
	tags     istioTags
}

// admitted is a sender whose names are fit and were let through or replaced.
type admitted struct {
	schemas.Origin
	over  names.Set
	known bool
}

// sent returns the sender of a span, found once for all spans of the request that say the same; most say what the one before did. It is valid
// until the next call.
func (r *spanRun) sent(resource *schemas.Origin, tags *istioTags) *admitted {
	if r.from.known && r.sender.tags == *tags && r.sender.resource == *resource {
		return &r.from
	}
	r.sender = sender{*resource, *tags}
	from, ok := r.senders[r.sender]
	if !ok {
		from = r.admit()
		if r.senders == nil {
			r.senders = map[sender]admitted{}
		}
		if len(r.senders) < maxKnown {
			r.senders[r.sender] = from
		}
	}
	r.from = from
	return &r.from
}

func (r *spanRun) admit() admitted {
	from := fit(r.sender.resource)
	if r.sender.tags != (istioTags{}) {
		from = r.sender.tags.origin(from)
	}
	origin, over := r.names.Origin(r.source, r.clock.now, from)
	return admitted{origin, over, true}
}
