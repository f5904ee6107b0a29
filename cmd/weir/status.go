package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/schemas/columns"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
)

// status is what `weir status` knows of the path, hop by hop.
type status struct {
	Time        time.Time      `json:"time"`
	Collector   *hopCollector  `json:"collector,omitempty"` // nil: its metrics cannot be reached from here
	Ingest      hopIngest      `json:"ingest"`
	Features    hopFeatures    `json:"features"`
	Store       hopStore       `json:"store"`
	Forecast    *hopDecider    `json:"forecast,omitempty"` // nil, as the two below: it could not be learnt, or the schema is older
	Detect      *hopDetect     `json:"detect,omitempty"`
	Actuator    *hopActuator   `json:"actuator,omitempty"`
	Sources     []sourceStatus `json:"sources"`
	DeadLetters int            `json:"dead_letters"`
	Quiet       []string       `json:"quiet"` // hops without data: "no data since 12:03:04 at hop ingest"
}

type hopCollector struct {
	LastData     time.Time `json:"last_data,omitzero"`
	Received     int64     `json:"received"`
	Sent         int64     `json:"sent"`
	Dropped      int64     `json:"dropped"`
	DeadLettered int64     `json:"dead_lettered"`
}

type hopIngest struct {
	LastData time.Time `json:"last_data,omitzero"`
	Messages int64     `json:"messages"` // that the log holds
}

type hopFeatures struct {
	LastData  time.Time `json:"last_data,omitzero"`
	LastWord  time.Time `json:"last_word,omitzero"` // when a worker published progress last
	Watermark time.Time `json:"watermark,omitzero"` // event time that every source which is not idle has passed
	Lag       int64     `json:"lag"`                // messages that are not durable as windows yet
}

type hopStore struct {
	LastData   time.Time `json:"last_data,omitzero"`
	LastWindow time.Time `json:"last_window,omitzero"`
	Calls      uint64    `json:"calls"`
	Orphans    uint64    `json:"orphans"`
	Duplicates uint64    `json:"duplicates"`
	Missing    uint64    `json:"missing"`
	Gaps       uint64    `json:"gaps"`
}

type sourceStatus struct {
	Source    string    `json:"source"`
	End       int64     `json:"end"`
	Durable   int64     `json:"durable"`
	Lag       int64     `json:"lag"`
	Mark      int64     `json:"mark"` // largest offset that stored windows include; -1 = none
	Watermark time.Time `json:"watermark,omitzero"`
	LastData  time.Time `json:"last_data,omitzero"`
	Idle      bool      `json:"idle"`
}

func statusCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how far the data has come, hop by hop",
		Long: "Shows for each hop when data passed last and how far behind it is; up to which event time windows are decided about, and what\n" +
			"fires, is proposed or waits for its outcome; for each source its offsets, mark and watermark; and what was duplicated, orphaned or\n" +
			"dead-lettered. It asks the Weir that runs on --data-dir, or --kafka and --clickhouse.",
		Example: "  weir status\n  weir status -o json | jq .quiet\n  weir status --kafka kafka-1:9092 --clickhouse ch:8123",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := newTool(cmd)
			if err != nil {
				return err
			}
			s, err := a.status(cmd.Context(), time.Now())
			switch {
			case s.Time.IsZero():
				return err
			case output == "json":
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return errors.Join(err, enc.Encode(s))
			}
			return errors.Join(err, s.print(cmd.OutOrStdout()))
		},
	}
	cli.Output(cmd.Flags(), &output, "text or json", "text", "json")
	keyFlag(cmd.Flags(), "kafka", "kafka.addresses")
	keyFlag(cmd.Flags(), "clickhouse", "clickhouse.address")
	return cmd
}

// status asks every hop. What could be learnt is returned also with an error.
func (a *app) status(ctx context.Context, now time.Time) (s status, err error) {
	at, live, err := lock.ReadAddresses(a.cfg.DataDir)
	if err != nil {
		return s, err
	}
	brokers := a.cfg.Kafka.Addresses
	if len(brokers) == 0 && live && at.Kafka != "" {
		brokers = []string{at.Kafka}
	}
	if a.cfg.ClickHouse.Address != "" {
		at.ClickHouse = a.cfg.ClickHouse.Address
	}
	if len(brokers) == 0 || at.ClickHouse == "" {
		return s, fmt.Errorf("no Weir runs on %s: start it with `weir up`, or name --kafka and --clickhouse", a.cfg.DataDir)
	}
	s.Time = now.UTC()
	if live && at.Ops != "" {
		s.Collector = a.collectorStatus(ctx, at.Ops)
	}
	kafkaErr, storeErr := a.askKafka(ctx, &s, brokers, at.ClickHouse), a.askStore(ctx, &s, at.ClickHouse)
	s.findQuiet(kafkaErr == nil, storeErr == nil)
	return s, errors.Join(kafkaErr, storeErr)
}

func (a *app) askKafka(ctx context.Context, s *status, brokers []string, store string) error {
	k, err := kafka.New(a.kafkaConfig(brokers))
	if err != nil {
		return err
	}
	defer k.Close()
	a.askEpochs(ctx, k, store)
	return s.readKafka(ctx, k)
}

// askEpochs names the sources as the store does. While it does not answer, topics are taken to be those first made.
func (a *app) askEpochs(ctx context.Context, k *kafka.Client, address string) {
	cfg, err := a.clickhouseConfig(address)
	if err != nil {
		return // askStore says so
	}
	c, err := clickhouse.New(cfg)
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }() // it was only read
	if err := learnEpochs(ctx, k, c); err != nil {
		a.log.Debug("Epochs of topics cannot be read", "error", err)
	}
}

func (a *app) askStore(ctx context.Context, s *status, address string) error {
	cfg, err := a.clickhouseConfig(address)
	if err != nil {
		return err
	}
	return s.readStore(ctx, cfg)
}

// collectorStatus reads the collector's counters from its operations server; nil if they cannot be had.
func (a *app) collectorStatus(ctx context.Context, ops string) *hopCollector {
	scheme, transport := "http", &http.Transport{}
	if a.server != nil {
		scheme, transport.TLSClientConfig = "https", a.client
	}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+ops+"/metrics", http.NoBody)
	if err != nil {
		return nil
	}
	resp, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Do(req)
	if err != nil {
		a.log.Debug("Collector's counters cannot be read", "error", err)
		return nil
	}
	defer func() { _ = resp.Body.Close() }() // it was read, or the error is known
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		a.log.Debug("Collector's counters cannot be read", "error", err, "status", resp.Status)
		return nil
	}
	sum := func(name string) (total float64) {
		for _, m := range families[name].GetMetric() {
			total += m.GetCounter().GetValue()
		}
		return total
	}
	h := &hopCollector{
		Received: int64(sum("weir_collector_received_total")), Sent: int64(sum("weir_collector_sent_total")),
		Dropped: int64(sum("weir_collector_dropped_total")), DeadLettered: int64(sum("weir_collector_dead_lettered_total")),
	}
	for _, m := range families["weir_collector_last_received_timestamp_seconds"].GetMetric() { // one for each signal
		h.LastData = later(h.LastData, timeOf(int64(m.GetGauge().GetValue()*1e9)))
	}
	return h
}

// readKafka fills in what the log and the workers' progress say.
func (s *status) readKafka(ctx context.Context, k *kafka.Client) error {
	said, last, err := lastProgress(ctx, k)
	if err != nil {
		return err
	}
	s.Features.LastWord = last
	for _, topic := range topicsRead() {
		incarnation, err := k.Incarnation(ctx, topic)
		if err != nil {
			return err
		}
		bounds, err := k.Bounds(ctx, topic)
		if err != nil {
			return err
		}
		for p, log := range bounds {
			name := schemas.Source{Incarnation: incarnation, Topic: topic, Partition: p}.String()
			last, err := lastTelemetry(ctx, k, topic, p, log)
			if err != nil {
				return err
			}
			s.addSource(name, log, last, said[name])
		}
	}
	s.watermark(said)
	letters, err := deadLetters(ctx, k)
	s.DeadLetters = len(letters)
	return err
}

func (s *status) addSource(name string, log kafka.Bounds, last time.Time, p wire.SourceProgress) {
	last = later(last, timeOf(p.LastData))
	source := sourceStatus{Source: name, End: log.End, Durable: p.Durable, Lag: log.End - p.Durable, Mark: -1, Idle: p.Idle, LastData: last}
	source.Watermark = timeOf(p.Watermark)
	s.Sources = append(s.Sources, source)
	s.Ingest.Messages += log.End - log.First
	s.Ingest.LastData = later(s.Ingest.LastData, last)
	s.Features.Lag += source.Lag
	s.Features.LastData = later(s.Features.LastData, timeOf(p.LastData))
}

// watermark is the lowest of the sources that are not idle, or the highest if all are.
func (s *status) watermark(said map[string]wire.SourceProgress) {
	var low, idle time.Time
	for _, p := range said {
		t := timeOf(p.Watermark)
		switch {
		case t.IsZero():
		case p.Idle:
			idle = later(idle, t)
		case low.IsZero() || t.Before(low):
			low = t
		}
	}
	if s.Features.Watermark = low; low.IsZero() {
		s.Features.Watermark = idle
	}
}

// readStore fills in what ClickHouse holds.
func (s *status) readStore(ctx context.Context, cfg clickhouse.Config) (err error) {
	c, err := clickhouse.New(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Ping(ctx); err != nil {
		return err
	}
	return errors.Join(s.readWindows(ctx, c), s.readDecided(ctx, c, cfg))
}

// readWindows fills in what is counted.
func (s *status) readWindows(ctx context.Context, c *clickhouse.Client) error {
	t, err := c.Totals(ctx)
	if err != nil {
		return err
	}
	s.Store = hopStore{
		LastData: t.LastStored, LastWindow: t.LastWindow, Calls: t.Calls, Orphans: t.Orphans, Duplicates: t.Duplicates,
		Missing: t.Missing, Gaps: t.Gaps,
	}
	marks, err := c.SourceMarks(ctx)
	if err != nil {
		return err
	}
	for i := range s.Sources {
		if mark, ok := marks[s.Sources[i].Source]; ok {
			s.Sources[i].Mark = mark
		}
	}
	return nil
}

// lastProgress is the latest word on every source on weir.progress, and when anything was said last.
func lastProgress(ctx context.Context, k *kafka.Client) (said map[string]wire.SourceProgress, last time.Time, err error) {
	bounds, err := k.Bounds(ctx, wire.TopicProgress)
	if err != nil || len(bounds) == 0 {
		return nil, last, err
	}
	const lookBack = 512
	said = map[string]wire.SourceProgress{}
	err = k.Read(ctx, wire.TopicProgress, 0, max(0, bounds[0].End-lookBack), false, func(m ingest.Message) bool {
		p, err := wire.DecodeProgress(m.Value)
		if err != nil {
			return true
		}
		for _, s := range p.Sources {
			said[s.Source] = s
		}
		last = timeOf(p.Time)
		return true
	})
	return said, last, err
}

// lookBack is how many messages at the end of a partition of weir.samples are looked at for telemetry, if fewer hold none: the last covers
// hours of what collectors say about themselves.
func lookBack() []int64 { return []int64{16, 512, 8192} }

// lastTelemetry is when the last message of a partition was written that holds more than what collectors say about themselves every few
// seconds; zero if there is none, or if it lies too far back to look for.
func lastTelemetry(ctx context.Context, k *kafka.Client, topic string, partition int, log kafka.Bounds) (at time.Time, err error) {
	if topic != wire.TopicSamples {
		return lastMessage(ctx, k, topic, partition, log, 1, func(ingest.Message) bool { return true })
	}
	for _, n := range lookBack() {
		at, err = lastMessage(ctx, k, topic, partition, log, n, func(m ingest.Message) bool { return !ofCollectors(m) })
		if err != nil || !at.IsZero() || log.End-n <= log.First {
			return at, err
		}
	}
	return at, nil
}

// lastMessage is when the last of the n messages at the end of a partition was written of which counts is true.
func lastMessage(
	ctx context.Context, k *kafka.Client, topic string, partition int, log kafka.Bounds, n int64, counts func(ingest.Message) bool,
) (at time.Time, err error) {
	if log.End == log.First {
		return at, nil
	}
	err = k.Read(ctx, topic, partition, max(log.First, log.End-n), false, func(m ingest.Message) bool {
		if counts(m) {
			at = m.Time.UTC()
		}
		return true
	})
	return at, err
}

// ofCollectors reports whether a message of weir.samples holds nothing but what collectors say about themselves.
func ofCollectors(m ingest.Message) bool {
	samples, err := columns.DecodeSamples(m.Value)
	return err == nil && len(samples) > 0 && !slices.ContainsFunc(samples, func(s columns.Sample) bool { return !s.Reserved() })
}

func timeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sooner is the earlier of two times of which one may not be known.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
