package report

import (
	"cmp"
	"maps"
	"slices"

	"github.com/weirmesh/weir/schemas"
)

// declined fills in what is not proposed: the targets about which the newest decision is to propose nothing, by their reasons. A target
// that has a live proposal of the same kind is left out.
func (b *builder) declined(live []chain) {
	last := b.lastWord()
	for _, c := range live {
		delete(last, subjectOf(c.last.Decision))
	}
	b.report.Counts.Targets = len(last)
	rest := slices.SortedFunc(maps.Values(last), func(x, y schemas.Decision) int {
		return cmp.Or(cmp.Compare(b.names.of(x.Target).Versioned(), b.names.of(y.Target).Versioned()), cmp.Compare(x.Kind, y.Kind),
			cmp.Compare(x.ID, y.ID))
	})
	rows := b.reasons(rest, func(d schemas.Decision) Declined {
		return Declined{Kind: string(d.Kind), Code: d.Code, Reason: d.Reason}
	})
	if len(rows) > b.in.Limit {
		rows = b.reasons(rest, func(d schemas.Decision) Declined { return Declined{Kind: string(d.Kind), Code: d.Code} })
	}
	b.report.Declined = rows
}

// lastWord is the newest decision about each subject, where that is a decline.
func (b *builder) lastWord() map[subject]schemas.Decision {
	newest := map[subject]schemas.SignedDecision{}
	for _, d := range b.in.Decisions {
		if have, known := newest[subjectOf(d.Decision)]; !known || earlier(have, d) < 0 {
			newest[subjectOf(d.Decision)] = d
		}
	}
	out := map[subject]schemas.Decision{}
	for s, d := range newest {
		if d.Verdict == schemas.Decline {
			out[s] = d.Decision
		}
	}
	return out
}

// reasons groups decisions by what key leaves of them. The reason that most targets share comes first. Where key leaves no reason, that of
// the first target stands as an example.
func (b *builder) reasons(all []schemas.Decision, key func(schemas.Decision) Declined) []Declined {
	type group struct{ kind, code, reason string }
	rows, at := []Declined{}, map[group]int{}
	for _, d := range all {
		k := key(d)
		g := group{k.Kind, k.Code, k.Reason}
		i, known := at[g]
		if !known {
			i = len(rows)
			at[g] = i
			k.Targets, k.AsOf = []Target{}, d.MadeAt.UTC()
			k.Reason = d.Reason
			rows = append(rows, k)
		}
		r := &rows[i]
		r.Count++
		r.Example = r.Example || d.Reason != r.Reason
		if len(r.Targets) < maxNames {
			r.Targets = append(r.Targets, b.names.of(d.Target))
		}
		if d.MadeAt.Before(r.AsOf) {
			r.AsOf = d.MadeAt.UTC()
		}
		r.Stale = r.Stale || !d.ValidUntil.After(b.in.At)
	}
	slices.SortStableFunc(rows, func(x, y Declined) int { return cmp.Compare(y.Count, x.Count) })
	return rows
}
