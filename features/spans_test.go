package features_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/weirmesh/weir/features/join"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
)

// seen are the fates of spans, whatever else is found.
type seen []join.Fate

func (*seen) Retried(schemas.Call)                             {}
func (s *seen) Call(schemas.Call)                              {}
func (s *seen) Orphan(schemas.Origin, int64, bool)             {}
func (s *seen) Seen(_ schemas.Origin, _ int64, fate join.Fate) { *s = append(*s, fate) }

// spansOfTheLog lists the spans that the log holds, each once, by partition, message and span: read in one go, without worker or store.
func (s *stage) spansOfTheLog() (all []string) {
	s.t.Helper()
	for p := range partitions {
		j, fates := join.New(generation), seen{}
		for _, m := range s.all(wire.TopicCalls, p) {
			if event, ok := wire.FindInt(m.Headers, wire.HeaderEventTime); ok {
				j.EndBefore(m.Offset, event, &fates)
				continue
			}
			batch, err := columns.DecodeSpans(m.Value)
			if err != nil {
				continue
			}
			fates = fates[:0]
			j.Message(m.Offset, batch, &fates)
			for i, span := range batch.Spans {
				if fates[i] == join.Fresh {
					all = append(all, nameOf(m.Source.String(), m.Offset, span, batch.Origins[span.Origin]))
				}
			}
		}
	}
	slices.Sort(all)
	return all
}

// spansKept lists what the store holds in the same way.
func (m *memory) spansKept() (all []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for source, messages := range m.kept {
		for _, one := range messages {
			for _, span := range one.Spans {
				all = append(all, nameOf(source, one.Offset, span, one.Origins[span.Origin]))
			}
		}
	}
	slices.Sort(all)
	return all
}

func nameOf(source string, offset int64, s columns.Span, from schemas.Origin) string {
	_, partition, _ := strings.Cut(source, "/")
	return fmt.Sprintf("%s/%d %x/%x %s", partition, offset, s.Trace, s.ID, from.Name)
}

func TestSpansAreKeptOnlyWhereThatIsAskedFor(t *testing.T) {
	for _, keep := range []bool{false, true} {
		s := newStage(t)
		for i := range 10 {
			rows := checkout(i, base+int64(i)*second)
			s.produce(spans(t, i%partitions, rows...), spans(t, i%partitions, rows[1]))
		}
		cfg := config()
		cfg.KeepSpans = keep
		s.runUntilDurable(s.worker(cfg))
		got, want := s.store.spansKept(), s.spansOfTheLog()
		if !keep {
			want = nil
		} else if len(want) != 40 {
			t.Errorf("the log holds %d spans, want 40", len(want))
		}
		if !slices.Equal(got, want) {
			t.Errorf("keep %t: the store holds %d spans, want %d", keep, len(got), len(want))
		}
	}
}
