package kafka_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/schemas/wire"
)

// allTopics are Weir's, each with one partition and one record.
func allTopics() []string {
	return []string{
		wire.TopicCalls, wire.TopicSamples, wire.TopicProgress, wire.TopicAlerts, wire.TopicDecisions, wire.TopicOutcomes, wire.TopicDeadLetter,
	}
}

// TestEveryRoleNeedsExactlyItsRights lets each role do all it has to with no rights but its own, and refuses it everything else.
func TestEveryRoleNeedsExactlyItsRights(t *testing.T) {
	options := []kfake.Opt{kfake.SeedTopics(1, allTopics()...)}
	for _, r := range kafka.Roles(group) {
		options = append(options, kfake.User("SCRAM-SHA-512", r.Name, "secret", acls(r.Rights...)...))
	}
	s := newSecured(t, nil, options...)
	admin := newClient(t, kafka.Config{Addresses: []string{s.address}, Security: s.good})
	for _, topic := range allTopics() {
		if err := admin.Produce(t.Context(), ingest.Record{Topic: topic, Value: []byte("first")}); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range kafka.Roles(group) {
		t.Run(r.Name, func(t *testing.T) {
			sec := s.good
			sec.User = r.Name
			cfg := kafka.Config{Addresses: []string{s.address}, Security: sec, Topics: r.Topics()}
			c := newClient(t, cfg)
			if err := c.Check(t.Context(), r.Rights...); err != nil {
				t.Fatal(err)
			}
			for _, name := range r.Topics() {
				if n, err := c.Partitions(t.Context(), name); n != 1 || err != nil {
					t.Errorf("%s has %d partitions, error %v", name, n, err)
				}
			}
			any := newClient(t, kafka.Config{Addresses: []string{s.address}, Security: sec})
			for _, topic := range allTopics() {
				expect(t, "write "+topic, may(r, topic, kafka.Write), func() error {
					return any.Produce(t.Context(), ingest.Record{Topic: topic, Value: []byte("x")})
				})
				expect(t, "read "+topic, may(r, topic, kafka.Read), func() error { return readFirst(t.Context(), any, topic) })
			}
			for _, right := range r.Rights {
				if right.Kind == kafka.KindGroup && slices.Contains(right.Operations, kafka.Read) && r.Name != "topics" {
					works(t, c, cfg, right.Name, r)
				}
			}
			expect(t, "commit for somebody else", false, func() error {
				return errOf(any.Direct("weir-somebody", wire.TopicCalls).Session(t.Context()))
			})
		})
	}
}

func may(r kafka.Role, topic, operation string) bool {
	return slices.ContainsFunc(r.Rights, func(right kafka.Right) bool {
		return right.Name == topic && slices.Contains(right.Operations, operation)
	})
}

func expect(t *testing.T, what string, allowed bool, do func() error) {
	t.Helper()
	if err := do(); (err == nil) != allowed {
		t.Errorf("%s: allowed is %t, error %v", what, allowed, err)
	}
}

// readFirst reads the first record of a topic. The client's fetcher keeps trying, so what is refused is asked directly first.
func readFirst(ctx context.Context, c *kafka.Client, topic string) error {
	if err := c.Check(ctx, kafka.Right{Kind: kafka.KindTopic, Name: topic, Operations: []string{kafka.Read}}); err != nil {
		return err
	}
	found := false
	err := c.Read(ctx, topic, 0, 0, false, func(m ingest.Message) bool { found = string(m.Value) == "first"; return false })
	if err == nil && !found {
		return errors.New("nothing was read")
	}
	return err
}

// works joins the role's group, reads a message and commits it.
func works(t *testing.T, c *kafka.Client, cfg kafka.Config, group string, r kafka.Role) {
	t.Helper()
	var topics []string
	for _, right := range r.Rights {
		if right.Kind == kafka.KindTopic && slices.Contains(right.Operations, kafka.Read) {
			topics = append(topics, right.Name)
		}
	}
	g, err := c.Group(cfg, group, quiet, topics...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}()
	s := session(t, g)
	m := next(t, s)
	commit(t, s, m.Source, ingest.Position{Restart: 1, Durable: 1})
	closeSession(t, s)
}

func TestScripts(t *testing.T) {
	r, err := kafka.RoleOf("my group", "features")
	if err != nil {
		t.Fatal(err)
	}
	script := r.Script("User:it's me")
	for _, want := range []string{
		`--allow-principal 'User:it'\''s me' --operation Read --topic weir.calls` + "\n", "--operation Write --topic weir.progress\n", "--operation Read --group 'my group'\n",
	} {
		if !strings.Contains(script, want) {
			t.Errorf("the script has no %q:\n%s", want, script)
		}
	}
	if _, err := kafka.RoleOf(group, "nobody"); err == nil {
		t.Error("a role that is not there has rights")
	}
}
