package kafka

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"

	"github.com/weirmesh/weir/ingest"
)

// note is what the metadata of a committed offset says: how far the work is durable, in which log, and what the last record of it looks
// like. Weirs before wrote and read only the first word.
type note struct {
	durable int64
	log     string // incarnation; "" = not said
	print   fingerprint
}

// fingerprint tells a record from another at the same offset of a log that was made anew. The zero value is no fingerprint.
type fingerprint struct {
	at  int64 // Unix ms, as the log has it
	sum uint32
}

func fingerprintOf(m ingest.Message) fingerprint {
	return fingerprint{at: m.Time.UnixMilli(), sum: crc32.Checksum(m.Value, crc32.MakeTable(crc32.Castagnoli))}
}

func (n note) String() string {
	s := fmt.Sprintf("durable=%d log=%s", n.durable, n.log)
	if n.print != (fingerprint{}) {
		s += fmt.Sprintf(" last=%d/%08x", n.print.at, n.print.sum)
	}
	return s
}

// noteOf reads what String wrote, and what Weirs before wrote. What it does not know it leaves out.
func noteOf(s string) (n note, ok bool) {
	for _, word := range strings.Fields(s) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "durable":
			d, err := strconv.ParseInt(value, 10, 64)
			n.durable, ok = d, err == nil
		case "log":
			n.log = value
		case "last":
			at, sum, _ := strings.Cut(value, "/")
			ms, err := strconv.ParseInt(at, 10, 64)
			crc, err2 := strconv.ParseUint(sum, 16, 32)
			if err == nil && err2 == nil {
				n.print = fingerprint{at: ms, sum: uint32(crc)}
			}
		}
	}
	return n, ok
}

// about reports whether the note speaks of the log with this name. One that does not say speaks of the first log of its topic.
func (n note) about(incarnation string) bool {
	return n.log == incarnation || n.log == "" && !strings.Contains(incarnation, ".")
}

// seen is the last message of a source that somebody took.
type seen struct {
	offset int64
	print  fingerprint
}

// checking bounds how many partitions are asked for their last record at the same time.
const checking = 8

// compare reads the last record of each source that was made durable, where the log still holds it, and refuses a log in which it is
// another one.
func (c *Client) compare(ctx context.Context, assigned []ingest.Assigned, last []seen) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(checking)
	for i, a := range assigned {
		if was := last[i]; was.print != (fingerprint{}) && was.offset >= a.First && was.offset < a.End {
			group.Go(func() error { return c.compareOne(ctx, a, was) })
		}
	}
	return group.Wait()
}

func (c *Client) compareOne(ctx context.Context, a ingest.Assigned, was seen) error {
	m, err := c.record(ctx, a, was.offset)
	if err != nil {
		return fmt.Errorf("read %s at offset %d: %w", a.Source, was.offset, c.explain("topic "+a.Source.Topic, err))
	}
	if m.Offset == was.offset && fingerprintOf(m) != was.print {
		return ingest.Permanent{Err: fmt.Errorf("%s: the record at offset %d is not the one that was counted, which was written at %s, but one written at %s: "+
			"the topic was deleted and made again, or its log is another; `weir topics migrate --made-anew` counts a new log from its start, or use another data directory",
			a.Source, was.offset, time.UnixMilli(was.print.at).UTC().Format(time.RFC3339Nano), m.Time.UTC().Format(time.RFC3339Nano))}
	}
	return nil
}

// record reads the first record at or behind an offset.
func (c *Client) record(ctx context.Context, a ingest.Assigned, offset int64) (ingest.Message, error) {
	resp, err := c.kafka.Fetch(ctx, &kafka.FetchRequest{
		Topic: a.Source.Topic, Partition: a.Source.Partition, Offset: offset, MinBytes: 1, MaxBytes: 1, MaxWait: fetchWait,
	})
	if err == nil {
		err = resp.Error
	}
	for err == nil {
		var r *kafka.Record
		if r, err = resp.Records.ReadRecord(); err == nil && r.Offset >= offset {
			return message(a, r)
		}
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the broker sent no record: %w", err)
	}
	return ingest.Message{}, err
}
