package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas/wire"
)

// topicPlan is a topic as it is, and as the configuration wants it.
type topicPlan struct {
	Topic       string   `json:"topic"`
	Exists      bool     `json:"exists"`
	Partitions  int      `json:"partitions"`
	Replication int      `json:"replication"`
	Retention   string   `json:"retention"`
	MinInsync   string   `json:"min_insync_replicas"`
	Cleanup     string   `json:"cleanup_policy"`
	MaxBytes    string   `json:"max_message_bytes"`
	Changes     []change `json:"changes,omitempty"` // what `weir topics apply` would do
	Differs     []string `json:"differs,omitempty"` // what it cannot change
	Risks       []string `json:"risks,omitempty"`

	want kafka.Topic
}

// change is one setting that apply would set.
type change struct {
	Setting string `json:"setting"`
	From    string `json:"from"`
	To      string `json:"to"`
}

// says reports whether there is anything to do, or to know, about the topic.
func (p topicPlan) says() bool { return !p.Exists || len(p.Changes)+len(p.Differs)+len(p.Risks) > 0 }

type topicPlans []topicPlan

// largestBatch is the least that max.message.bytes must allow: a batch of the collector with its headers, and Kafka's default.
const largestBatch = 1_048_588

// planTopics compares the topics of the cluster with those of the configuration.
func (a *app) planTopics(ctx context.Context, k *kafka.Client) (topicPlans, error) {
	wanted := a.topics()
	names := make([]string, len(wanted))
	for i, t := range wanted {
		names[i] = t.Name
	}
	states, err := k.DescribeTopics(ctx, names...)
	if err != nil {
		return nil, err
	}
	shards := 0
	for _, s := range states {
		if s.Name == wire.TopicProgress {
			shards = s.Partitions
		}
	}
	plans := make(topicPlans, len(wanted))
	for i, t := range wanted {
		if t.Like != "" && shards > 0 {
			t.Partitions = shards
		}
		plans[i] = planTopic(states[i], t, len(a.cfg.Kafka.Addresses) > 0)
	}
	return plans, nil
}

func planTopic(s kafka.TopicState, want kafka.Topic, cluster bool) topicPlan {
	p := topicPlan{
		Topic: s.Name, Exists: s.Partitions > 0, Partitions: s.Partitions, Replication: s.Replication, want: want,
		MinInsync: s.Config[kafka.MinInsyncReplicas], Cleanup: s.Config[kafka.CleanupPolicy], MaxBytes: s.Config[kafka.MaxMessageBytes],
	}
	if !p.Exists {
		return p
	}
	p.Retention = s.Retention().String()
	for _, setting := range want.Settings() {
		if have := s.Config[setting.Name]; have != setting.Value {
			p.Changes = append(p.Changes, change{setting.Name, have, setting.Value})
		}
	}
	if n := s.MaxBytes(); n > 0 && n < largestBatch {
		p.Changes = append(p.Changes, change{kafka.MaxMessageBytes, p.MaxBytes, strconv.Itoa(largestBatch)})
	}
	if s.Partitions != want.Partitions {
		p.Differs = append(p.Differs, fmt.Sprintf("%d partitions, %d are configured: `weir topics migrate` changes those of weir.calls and weir.samples",
			s.Partitions, want.Partitions))
	}
	if s.Replication != want.Replication {
		p.Differs = append(p.Differs, fmt.Sprintf("%d copies, %d are configured: kafka-reassign-partitions.sh changes them", s.Replication, want.Replication))
	}
	p.Risks = risks(s, cluster)
	return p
}

// risks says what may lose messages or stop the topic.
func risks(s kafka.TopicState, cluster bool) (all []string) {
	if s.Leaderless > 0 {
		all = append(all, fmt.Sprintf("%d partitions have no leader just now: nobody can read or write them", s.Leaderless))
	}
	if cluster && s.Replication == 1 {
		all = append(all, "one copy: a broker that is lost takes messages with it that were acknowledged")
	}
	insync, err := strconv.Atoi(s.Config[kafka.MinInsyncReplicas])
	if err == nil && insync == 1 && s.Replication > 1 {
		all = append(all, "min.insync.replicas is 1: a message may be acknowledged while only one copy exists")
	}
	if err == nil && insync >= s.Replication && s.Replication > 1 {
		all = append(all, "min.insync.replicas is as large as the number of copies: the loss of one broker stops all writing")
	}
	if cleanup := s.Config[kafka.CleanupPolicy]; strings.Contains(cleanup, "compact") {
		all = append(all, "cleanup.policy is "+cleanup+": messages without a key are refused, and of those with the same key all but the last are lost")
	}
	if n := s.MaxBytes(); n > 0 && n < largestBatch {
		all = append(all, fmt.Sprintf("max.message.bytes is %d: larger messages are refused, and their senders told", n))
	}
	if s.InSync < s.Replication {
		all = append(all, fmt.Sprintf("%d of %d copies are in sync", s.InSync, s.Replication))
	}
	if r := s.Retention(); r > 0 && r < 10*time.Minute {
		all = append(all, fmt.Sprintf("retention is %s: what features has not counted by then is lost", r))
	}
	return all
}

// applyTopics makes and sets what the plan shows.
func (a *app) applyTopics(ctx context.Context, k *kafka.Client, out io.Writer) error {
	plans, err := a.planTopics(ctx, k)
	if err != nil {
		return err
	}
	n := 0
	for _, p := range plans {
		if !p.Exists {
			if err := k.CreateTopics(ctx, p.want); err != nil {
				return err
			}
			fmt.Fprintf(out, "%s: made with %d partitions and %d copies\n", p.Topic, p.want.Partitions, p.want.Replication)
			n++
		}
		for _, c := range p.Changes {
			if err := k.SetTopicConfig(ctx, p.Topic, c.Setting, c.To); err != nil {
				return err
			}
			fmt.Fprintf(out, "%s: %s set from %s to %s\n", p.Topic, c.Setting, c.From, c.To)
			n++
		}
		for _, d := range p.Differs {
			fmt.Fprintf(out, "%s: left as it is: %s\n", p.Topic, d)
		}
	}
	if n == 0 {
		fmt.Fprintln(out, "nothing to do")
	}
	return nil
}

func (plans topicPlans) print(out io.Writer, format string) error {
	if format == "json" {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(plans)
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "TOPIC\tPARTITIONS\tCOPIES\tRETENTION\tMIN.INSYNC\tCLEANUP\tMAX.BYTES")
	for _, p := range plans {
		if p.Exists {
			fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\t%s\t%s\n", p.Topic, p.Partitions, p.Replication, p.Retention, p.MinInsync, p.Cleanup, p.MaxBytes)
		} else {
			fmt.Fprintf(w, "%s\tis missing\t\t\t\t\t\n", p.Topic)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print topics: %w", err)
	}
	if !slices.ContainsFunc(plans, topicPlan.says) {
		fmt.Fprintln(out, "\nnothing to do: all topics are as configured")
	}
	for _, p := range plans {
		if !p.Exists {
			fmt.Fprintf(out, "apply    %s: make it with %d partitions and %d copies\n", p.Topic, p.want.Partitions, p.want.Replication)
		}
		for _, c := range p.Changes {
			fmt.Fprintf(out, "apply    %s: set %s from %s to %s\n", p.Topic, c.Setting, c.From, c.To)
		}
		for _, d := range p.Differs {
			fmt.Fprintf(out, "differs  %s: %s\n", p.Topic, d)
		}
		for _, r := range p.Risks {
			fmt.Fprintf(out, "risk     %s: %s\n", p.Topic, r)
		}
	}
	return nil
}
