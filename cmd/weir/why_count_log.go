package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
)

// countLog is what the log knows of a number.
type countLog struct {
	Unknown     string         `json:"unknown,omitempty"` // why the log could not be asked
	Watermark   time.Time      `json:"watermark,omitzero"`
	Closed      bool           `json:"closed"` // every source that is not idle has passed the window
	DeadLetters []letter       `json:"dead_letters,omitempty"`
	Undated     int            `json:"dead_letters_without_time"` // they may be of any window
	Messages    []countMessage `json:"messages,omitempty"`
}

// countMessage is one message that holds spans of the workload that ended in the window.
type countMessage struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
	Producer  string `json:"producer"`
	Rows      int    `json:"rows"`
	Spans     int    `json:"spans"` // of the workload, in the window; repeated ones included
}

// countInLog asks the log; at most spans messages are listed.
func countInLog(ctx context.Context, k *kafka.Client, q clickhouse.CountOf, sources []countSource, spans int) (l countLog, err error) {
	said, _, err := lastProgress(ctx, k)
	if err != nil {
		return l, err
	}
	var s status
	s.watermark(said)
	l.Watermark = s.Features.Watermark
	l.Closed = !l.Watermark.IsZero() && !l.Watermark.Before(q.End())
	letters, err := deadLetters(ctx, k)
	if err != nil {
		return l, err
	}
	for _, letter := range letters {
		first, last, ok := wire.FindEvents([]wire.Header{{Key: wire.HeaderEvents, Value: letter.Events}})
		switch {
		case !ok:
			l.Undated++
		case first < q.End().UnixNano() && last >= q.Start().UnixNano():
			letter.Value = nil // `weir deadletter list` shows it
			l.DeadLetters = append(l.DeadLetters, letter)
		}
	}
	for _, s := range sources {
		if len(l.Messages) >= spans {
			break
		}
		found, err := messagesOf(ctx, k, q, s, spans-len(l.Messages))
		if err != nil {
			return l, err
		}
		l.Messages = append(l.Messages, found...)
	}
	return l, nil
}

// readBack is how many messages are read at a time, going back from the last that the rows include, until a stretch has none of the window.
const readBack = 512

// messagesOf finds the messages of a source that hold the workload's spans of the window, as far as the log still has them.
func messagesOf(ctx context.Context, k *kafka.Client, q clickhouse.CountOf, s countSource, limit int) (found []countMessage, err error) {
	topic, partition, ok := sourceOf(s.Name)
	if !ok {
		return nil, nil
	}
	bounds, err := k.Bounds(ctx, topic)
	if err != nil || partition >= len(bounds) {
		return nil, err
	}
	for end := min(s.LastFlush+1, bounds[partition].End); end > bounds[partition].First && len(found) < limit; end -= readBack {
		from, touched := max(bounds[partition].First, end-readBack), false
		var stretch []countMessage
		err := k.Read(ctx, topic, partition, from, false, func(m ingest.Message) bool {
			first, last, ok := wire.FindEvents(m.Headers)
			if m.Offset < end && ok && first < q.End().UnixNano() && last >= q.Start().UnixNano() {
				touched = true
				if n, rows := spansOf(m, q); n > 0 {
					producer, _ := wire.Find(m.Headers, wire.HeaderProducer)
					stretch = append(stretch, countMessage{topic, partition, m.Offset, producer, rows, n})
				}
			}
			return m.Offset+1 < end
		})
		if err != nil {
			return nil, err
		}
		found = append(stretch, found...)
		if !touched {
			break
		}
	}
	return found[max(0, len(found)-limit):], nil
}

// sourceOf takes a source's name apart, see schemas.Source.
func sourceOf(name string) (topic string, partition int, ok bool) {
	topic, rest, ok := strings.Cut(name, "@")
	if i := strings.LastIndexByte(rest, '/'); ok && i >= 0 {
		_, err := fmt.Sscanf(rest[i+1:], "%d", &partition)
		return topic, partition, err == nil
	}
	return "", 0, false
}

// spansOf counts the rows of a message that are of the called workload and end in the window.
func spansOf(m ingest.Message, q clickhouse.CountOf) (n, rows int) {
	batch, err := columns.DecodeSpans(m.Value)
	if err != nil {
		return 0, 0
	}
	for _, span := range batch.Spans {
		if q.Resolution.Start(span.End) == q.Start().UnixNano() && named(batch.Origins[span.Origin].Workload, q.Workload) {
			n++
		}
	}
	return n, len(batch.Spans)
}

// named reports whether people may call a workload so.
func named(w schemas.Workload, name string) bool {
	return slices.Contains([]string{w.Name, w.Name + "@" + w.Version, w.Key(), w.Key() + "@" + w.Version}, name)
}

// closed says how final the window is.
func (l countLog) closed() string {
	switch {
	case l.Unknown != "":
		return "whether the window is closed is not known"
	case l.Closed:
		return "the window is closed (watermark " + moment(l.Watermark) + ")"
	}
	return "the window is still open (watermark " + moment(l.Watermark) + ")"
}

func (l countLog) print(out io.Writer) error {
	if l.Unknown != "" {
		_, err := fmt.Fprintf(out, "\nthe log was not asked: %s\n", l.Unknown)
		return err
	}
	fmt.Fprintf(out, "\ndead letters of that time: %d; of a time that is not known: %d\n", len(l.DeadLetters), l.Undated)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, d := range l.DeadLetters {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", moment(d.Time), d.Stage, d.Source, d.Offset, d.Reason)
	}
	if len(l.Messages) > 0 {
		fmt.Fprintln(w, "\nTOPIC\tPARTITION\tOFFSET\tROWS\tSPANS OF IT\tPRODUCER")
	}
	for _, m := range l.Messages {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\n", m.Topic, m.Partition, m.Offset, m.Rows, m.Spans, m.Producer)
	}
	return w.Flush()
}
