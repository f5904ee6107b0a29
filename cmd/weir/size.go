package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/internal/size"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
)

// sizeOptions are the flags of `weir size`.
type sizeOptions struct {
	from, to, output, currency string
	what                       size.WhatIf
	prices                     size.Prices
}

func sizeCommand() *cobra.Command {
	var o sizeOptions
	cmd := &cobra.Command{
		Use:   "size",
		Short: "Estimate rows, bytes and money from some minutes of traffic",
		Long: "Looks at some minutes of what Weir has counted and at what its tables and its log take, and says what that makes in a day and when\n" +
			"everything is as full as its retention allows. It changes nothing. Ranges are between what is merged best and what lies there now.\n" +
			"It asks the Weir that runs on --data-dir, or --clickhouse and --kafka, or starts the engine read-only for the call.",
		Example: "  weir size\n  weir size --from 2026-03-03T09:00:00Z --to 2026-03-03T09:30:00Z\n" +
			"  weir size --calls-per-second 20000 --workloads 400 --replicas 2 --price-disk-gb-month 0.08 --currency EUR\n  weir size -o json | jq .total_bytes",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return cli.UsageError{Err: err}
			}
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			return a.size(cmd.Context(), o, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	cli.Output(f, &o.output, "text or json", "text", "json")
	f.StringVar(&o.from, "from", "", "begin of the traffic to look at (RFC 3339); empty for ten minutes before --to")
	f.StringVar(&o.to, "to", "", "its end; empty for the newest window")
	f.Float64Var(&o.what.CallsPerSecond, "calls-per-second", 0, "estimate for so many calls a second; 0 = as measured")
	f.IntVar(&o.what.Workloads, "workloads", 0, "estimate for so many workloads, with edges and instances in proportion; 0 = as measured")
	f.IntVar(&o.prices.Replicas, "replicas", 1, "copies of ClickHouse's data")
	f.IntVar(&o.prices.LogCopies, "log-copies", 0, "copies of each message; 0 for kafka.replication, or 1 (embedded) or 3")
	f.Float64Var(&o.prices.GBMonth, "price-disk-gb-month", 0, "price of a GB (1e9 bytes) of disk for a month; 0 = no money")
	f.StringVar(&o.currency, "currency", "USD", "what the price is in")
	keyFlag(f, "kafka", "kafka.addresses")
	keyFlag(f, "clickhouse", "clickhouse.address")
	keyFlag(f, "library", "clickhouse.library")
	return cmd
}

func (o sizeOptions) check() error {
	switch {
	case o.what.CallsPerSecond < 0 || o.what.Workloads < 0 || o.prices.GBMonth < 0 || o.prices.LogCopies < 0:
		return errors.New("--calls-per-second, --workloads, --log-copies and --price-disk-gb-month must not be below 0")
	case o.prices.Replicas < 1:
		return errors.New("--replicas must be at least 1")
	}
	_, _, err := o.times(time.Unix(0, 0))
	return err
}

// sampleLength is what is looked at where nobody says otherwise.
const sampleLength = 10 * time.Minute

// times are the begin and end of the sample, cut to windows; end is that of the newest window.
func (o sizeOptions) times(end time.Time) (from, to time.Time, err error) {
	to = end
	if o.to != "" {
		if to, err = time.Parse(time.RFC3339, o.to); err != nil {
			return from, to, fmt.Errorf("--to: %w", err)
		}
	}
	from = to.Add(-sampleLength)
	if o.from != "" {
		if from, err = time.Parse(time.RFC3339, o.from); err != nil {
			return from, to, fmt.Errorf("--from: %w", err)
		}
	}
	if o.from != "" && o.to != "" && !from.Before(to) {
		return from, to, errors.New("--from must be before --to")
	}
	const window = 10 * time.Second
	return from.Truncate(window).UTC(), to.Truncate(window).UTC(), nil
}

func (a *app) size(ctx context.Context, o sizeOptions, out io.Writer) error {
	if o.prices.LogCopies == 0 {
		o.prices.LogCopies = a.topics()[0].Replication
	}
	var m size.Measured
	err := a.withStore(ctx, func(c *clickhouse.Client) error {
		totals, err := c.Totals(ctx)
		if err != nil {
			return err
		}
		if totals.LastWindow.IsZero() {
			return errors.New("nothing is counted yet: `weir status` shows how far telemetry has come")
		}
		from, to, err := o.times(totals.LastWindow) // the newest window may still grow
		if err != nil {
			return cli.UsageError{Err: err}
		}
		if m, err = c.Measure(ctx, from, to); err != nil {
			return err
		}
		m.Topics, err = a.measureLog(ctx, totals.Spans)
		return err
	})
	if err != nil {
		return err
	}
	e, err := size.New(m, o.what, o.prices)
	if err != nil {
		return err
	}
	if o.output == "json" {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(sizeAnswer{Sample: sampleOf(m), Estimate: e, Currency: o.currency, Replicas: o.prices.Replicas, LogCopies: o.prices.LogCopies})
	}
	return printSize(out, m, e, o)
}

// messagesLooked bounds what is read of each partition.
const messagesLooked = 100

// measureLog says what records take in weir.calls and weir.samples: by the newest messages where a broker answers, and by the embedded
// broker's files where they are here. spans is how many spans were ever counted.
func (a *app) measureLog(ctx context.Context, spans uint64) ([]size.Topic, error) {
	at, live, err := lock.ReadAddresses(a.cfg.DataDir)
	if err != nil {
		return nil, err
	}
	brokers := a.cfg.Kafka.Addresses
	if len(brokers) == 0 && live && at.Kafka != "" {
		brokers = []string{at.Kafka}
	}
	if len(brokers) == 0 {
		t := size.Topic{Name: wire.TopicCalls, DiskRows: spans, Kept: a.cfg.Kafka.Retention}
		if t.DiskBytes, err = a.logFiles(t.Name); err != nil || t.DiskBytes == 0 {
			return nil, err
		}
		return []size.Topic{t}, nil
	}
	k, err := kafka.New(a.kafkaConfig(brokers))
	if err != nil {
		return nil, err
	}
	defer k.Close()
	var all []size.Topic
	for _, name := range []string{wire.TopicCalls, wire.TopicSamples} {
		t, err := a.measureTopic(ctx, k, name)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

func (a *app) measureTopic(ctx context.Context, k *kafka.Client, name string) (size.Topic, error) {
	t := size.Topic{Name: name, Kept: a.cfg.Kafka.Retention}
	bounds, err := k.Bounds(ctx, name)
	if err != nil {
		return t, err
	}
	var looked, messages int64
	for p, log := range bounds {
		messages += log.End - log.First
		err := k.Read(ctx, name, p, max(log.First, log.End-messagesLooked), false, func(m ingest.Message) bool {
			rows, _ := wire.FindInt(m.Headers, wire.HeaderRows)
			looked++
			t.Rows += uint64(max(rows, 0))
			t.Bytes += uint64(len(m.Value))
			for _, h := range m.Headers {
				t.Bytes += uint64(len(h.Key) + len(h.Value))
			}
			return true
		})
		if err != nil {
			return t, err
		}
	}
	if looked > 0 && len(a.cfg.Kafka.Addresses) == 0 {
		t.DiskRows = uint64(float64(t.Rows) / float64(looked) * float64(messages))
		t.DiskBytes, err = a.logFiles(name)
	}
	return t, err
}

// logFiles is what the embedded broker's files of a topic take; 0 where there are none.
func (a *app) logFiles(topic string) (bytes uint64, err error) {
	root := filepath.Join(a.cfg.DataDir, "broker", "log", "partitions")
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // no broker here, or a file that has just been removed
			return nil
		}
		if err != nil || d.IsDir() || !strings.HasPrefix(filepath.Base(filepath.Dir(path)), topic+"-") {
			return err
		}
		info, err := os.Lstat(path)
		if err == nil {
			bytes += uint64(info.Size())
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("look at the log's files: %w", err)
	}
	return bytes, nil
}
