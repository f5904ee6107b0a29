package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/ingest/recording"
	"github.com/weirmesh/weir/ingest/replay"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/internal/redact"
	"github.com/weirmesh/weir/schemas/wire"
	"github.com/weirmesh/weir/store/clickhouse"
)

// replayOptions are the flags of `weir replay`.
type replayOptions struct {
	format, output string
	resume, again  bool
	rate           float64
	senders        int
}

func replayCommand() *cobra.Command {
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay RECORDING",
		Short: "Send a recording through the front door and wait until it is counted",
		Long: "Sends a recording (a folder or a file) to the collector over OTLP/gRPC with its own event times, waits until every window is\n" +
			"durable, and prints a summary. It uses the Weir that runs on --data-dir, or starts one for the call.\n\n" +
			"Formats:\n" +
			"  nezha      a day's folder of HH_MM_trace.csv(.gz) files, or one of them\n" +
			"  otlp-json  what the Collector's file exporter writes, one file or a folder of them",
		Example: "  weir replay --format nezha recordings/2022-08-22/trace\n" +
			"  weir replay --format otlp-json --rate 5000 traces.jsonl\n" +
			"  weir replay --format nezha --resume recordings/2022-08-22/trace",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return cli.UsageError{Err: err}
			}
			a, err := newTool(cmd, stackParts()...)
			if err != nil {
				return err
			}
			return a.replay(cmd.Context(), args[0], o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.format, "format", "", "nezha or otlp-json")
	f.BoolVar(&o.resume, "resume", false, "go on where an interrupted replay of this recording stopped")
	f.BoolVar(&o.again, "again", false, "send a recording once more; spans the join still remembers do not count twice")
	f.Float64Var(&o.rate, "rate", 0, "spans a second; 0 sends as fast as the pipeline takes them")
	f.IntVar(&o.senders, "senders", 2, "requests under way at the same time")
	cli.Output(f, &o.output, "summary as text or json", "text", "json")
	stackFlags(cmd)
	return cmd
}

func (o replayOptions) check() error {
	switch {
	case o.format == "":
		return errors.New("--format is missing: nezha or otlp-json")
	case o.format != string(recording.Nezha) && o.format != string(recording.OTLPJSON):
		return fmt.Errorf("format %q is not known: nezha or otlp-json", o.format)
	case o.resume && o.again:
		return errors.New("--resume goes on, --again starts over: give one of them")
	case o.rate < 0 || o.senders < 1:
		return errors.New("--rate must not be negative and --senders at least 1")
	}
	return nil
}

// replay finds or starts a Weir and runs the replay on it.
func (a *app) replay(ctx context.Context, path string, o replayOptions, out, errOut io.Writer) error {
	rec, err := recording.Open(path, recording.Format(o.format))
	if err != nil {
		return err
	}
	digest, err := rec.Digest()
	if err != nil {
		return err
	}
	file := replay.File(a.cfg.DataDir, digest)
	before, err := priorProgress(file, o)
	if err != nil {
		return err
	}
	before.Path, before.Format = path, o.format
	job := &replayJob{app: a, rec: rec, file: file, progress: before, options: o, errOut: errOut}
	running, live, err := lock.ReadAddresses(a.cfg.DataDir)
	if err != nil {
		return err
	}
	if live && running.OTLPGRPC != "" {
		err = job.onRunning(ctx, running)
	} else {
		err = job.onOwn(ctx)
	}
	if err != nil {
		return err
	}
	return job.summary.print(out, o.output)
}

// priorProgress says where to begin, or why not to.
func priorProgress(file string, o replayOptions) (replay.Progress, error) {
	p, found, err := replay.Load(file)
	switch {
	case err != nil:
		return p, err
	case !found || o.again:
		return replay.Progress{}, nil
	case o.resume:
		return p, nil
	case p.Finished.IsZero():
		return p, fmt.Errorf("this recording was begun on %s and not finished: --resume goes on, --again starts over", p.Started.Format(time.DateTime))
	}
	return p, fmt.Errorf("already replayed on %s: --again sends it once more", p.Finished.Format(time.DateTime))
}

// replayJob is one replay on one Weir.
type replayJob struct {
	*app
	rec      *recording.Recording
	file     string
	progress replay.Progress
	options  replayOptions
	errOut   io.Writer
	kafka    *kafka.Client
	store    *clickhouse.Client
	summary  summary
}

// onOwn starts a Weir for the call, on ports of its own unless flags or the configuration name others.
func (j *replayJob) onOwn(ctx context.Context) error {
	return j.ownStack(ctx, func(ctx context.Context, s *stack) error {
		j.kafka, j.store = s.kafka, s.store
		return j.run(ctx, s.addresses.OTLPGRPC)
	})
}

// onRunning uses the Weir that runs on the data directory.
func (j *replayJob) onRunning(ctx context.Context, at lock.Addresses) (err error) {
	if j.kafka, err = kafka.New(j.kafkaConfig([]string{at.Kafka})); err != nil {
		return err
	}
	defer j.kafka.Close()
	cfg, err := j.clickhouseConfig(at.ClickHouse)
	if err != nil {
		return err
	}
	if j.store, err = clickhouse.New(cfg); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.store.Close()) }()
	if err := learnEpochs(ctx, j.kafka, j.store); err != nil {
		return err
	}
	return j.run(ctx, at.OTLPGRPC)
}

func (j *replayJob) run(ctx context.Context, collector string) (err error) {
	if j.progress.Started.IsZero() {
		if err := j.begin(ctx); err != nil {
			return err
		}
	}
	tls := j.client
	if j.server == nil {
		tls = nil
	}
	client, err := replay.Dial(collector, tls)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	began, before := time.Now(), j.progress.SpansSent
	meter := startMeter(j.errOut, j.rec)
	after, err := replay.Run(ctx, j.rec, j.progress, replay.Config{
		Senders: j.options.senders, Rate: j.options.rate, Send: client.Send, Bad: j.deadLetter, Now: time.Now,
		Save: func(p replay.Progress) error {
			meter.spans(p.SpansSent)
			return p.Save(j.file)
		},
	})
	meter.stop()
	j.progress = after
	if err != nil {
		return err
	}
	if err := j.finish(ctx); err != nil {
		return err
	}
	return j.summarise(ctx, time.Since(began), after.SpansSent-before)
}

// begin waits until everything that was sent before is counted, and notes what the store holds by then.
func (j *replayJob) begin(ctx context.Context) error {
	if err := j.untilDurable(ctx); err != nil {
		return err
	}
	var err error
	if j.progress.Baseline, err = j.totals(ctx); err != nil {
		return err
	}
	j.progress.Started = time.Now().UTC().Truncate(time.Second)
	return j.progress.Save(j.file)
}

// end is the event time that ends the recording: an hour after its last event, but no later than Weir believes a stream to be over.
func (j *replayJob) end(now time.Time) time.Time {
	end := time.Unix(0, j.progress.LastEvent).Add(time.Hour)
	if future := j.cfg.Collector.MaxFuture; future > 0 && end.After(now.Add(future)) {
		return now.Add(future)
	}
	return end
}

// finish ends the recording's stream in every partition and waits until all of it is durable and decided about.
func (j *replayJob) finish(ctx context.Context) error {
	end := j.end(time.Now())
	if j.progress.LastEvent > 0 {
		if err := endStream(ctx, j.kafka, end, "replay"); err != nil {
			return err
		}
	}
	if err := j.untilDurable(ctx); err != nil {
		return err
	}
	if j.progress.LastEvent > 0 {
		if err := untilDecided(ctx, j.store, end.Add(-time.Minute-j.cfg.Features.Lateness).Truncate(time.Minute)); err != nil {
			return err
		}
	}
	j.progress.Finished = time.Now().UTC().Truncate(time.Second)
	return j.progress.Save(j.file)
}

// untilDurable waits until everything now in the log is counted and durable.
func (j *replayJob) untilDurable(ctx context.Context) error { return untilDurable(ctx, j.kafka) }

// deadLetter keeps a row of the recording that cannot be read.
func (j *replayJob) deadLetter(ctx context.Context, row recording.BadRow) error {
	return j.kafka.Produce(ctx, ingest.Record{
		Topic: wire.TopicDeadLetter, Value: wire.Unreadable(row.Raw), Headers: []wire.Header{
			{Key: wire.HeaderReason, Value: redact.Text(row.Reason)},
			{Key: wire.HeaderStage, Value: "replay"},
			{Key: wire.HeaderSource, Value: row.File},
			{Key: wire.HeaderOffset, Value: strconv.Itoa(row.Line)},
		},
	})
}

func (j *replayJob) totals(ctx context.Context) (replay.Totals, error) {
	t, err := j.store.Totals(ctx)
	if err != nil {
		return replay.Totals{}, err
	}
	letters, err := deadLetters(ctx, j.kafka)
	if err != nil {
		return replay.Totals{}, err
	}
	findings, decisions, err := j.store.DecisionTotals(ctx)
	if err != nil {
		return replay.Totals{}, err
	}
	return replay.Totals{
		Spans: int64(t.Spans), Duplicates: int64(t.Duplicates), Orphans: int64(t.Orphans), Calls: int64(t.Calls),
		Windows: int64(t.Windows), DeadLetters: int64(len(letters)), Findings: int64(findings), Decisions: int64(decisions),
	}, nil
}

// summary is what `weir replay` prints at the end.
type summary struct {
	SpansRead      int64   `json:"spans_read"`
	SpansSent      int64   `json:"spans_sent"`
	SpansDuplicate int64   `json:"spans_duplicate"`
	Calls          int64   `json:"calls"`
	Orphans        int64   `json:"orphans"`
	Windows        int64   `json:"windows"`
	Findings       int64   `json:"findings"`
	Decisions      int64   `json:"decisions"`
	DeadLetters    int64   `json:"dead_letters"`
	Seconds        float64 `json:"seconds"`
	SpansPerSecond float64 `json:"spans_per_second"`
}

// summarise compares what the store holds now with what it held before the recording. Spans that were sent twice because of a crash
// appear in no figure: duplicates are those of the recording itself.
func (j *replayJob) summarise(ctx context.Context, took time.Duration, sentNow int64) error {
	now, err := j.totals(ctx)
	if err != nil {
		return err
	}
	p, b := j.progress, j.progress.Baseline
	fresh := (now.Spans - now.Duplicates) - (b.Spans - b.Duplicates)
	j.summary = summary{
		SpansRead: p.SpansSent + p.BadRows, SpansSent: p.SpansSent, SpansDuplicate: p.SpansSent - fresh,
		Calls: now.Calls - b.Calls, Orphans: now.Orphans - b.Orphans, Windows: now.Windows - b.Windows,
		DeadLetters: now.DeadLetters - b.DeadLetters, Findings: now.Findings - b.Findings, Decisions: now.Decisions - b.Decisions, Seconds: took.Seconds(),
	}
	if took > 0 {
		j.summary.SpansPerSecond = float64(sentNow) / took.Seconds()
	}
	return nil
}

func (s summary) print(out io.Writer, format string) error {
	if format == "json" {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(s)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "spans read        %10d\n", s.SpansRead)
	fmt.Fprintf(&b, "spans sent        %10d\n", s.SpansSent)
	fmt.Fprintf(&b, "  duplicates      %10d\n", s.SpansDuplicate)
	fmt.Fprintf(&b, "calls counted     %10d\n", s.Calls)
	fmt.Fprintf(&b, "  orphans         %10d\n", s.Orphans)
	fmt.Fprintf(&b, "windows (10 s)    %10d\n", s.Windows)
	fmt.Fprintf(&b, "findings          %10d\n", s.Findings)
	fmt.Fprintf(&b, "proposals         %10d\n", s.Decisions)
	fmt.Fprintf(&b, "dead letters      %10d\n", s.DeadLetters)
	fmt.Fprintf(&b, "seconds           %10.1f\n", s.Seconds)
	fmt.Fprintf(&b, "spans per second  %10.0f\n", s.SpansPerSecond)
	_, err := io.WriteString(out, b.String())
	return err
}
