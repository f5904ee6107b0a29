package kafka_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	segment "github.com/segmentio/kafka-go"

	"github.com/weirmesh/weir/ingest"
	"github.com/weirmesh/weir/ingest/kafka"
)

// remake deletes the topic and makes it again with n records, the first of which is number from. What the group committed stays, as it does
// where a log is cut or restored under a group; with the topic a cluster forgets it.
func remake(t *testing.T, address string, c *kafka.Client, from, n int) {
	t.Helper()
	raw := rawClient(t, address)
	resp, err := raw.OffsetFetch(t.Context(), &segment.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {0}}})
	if err != nil {
		t.Fatal(err)
	}
	defer commitRaw(t.Context(), t, raw, resp.Topics[topic][0].Metadata)
	if err := c.DeleteTopic(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	ensureMade(t, c)
	produce(t, c, 0, from, n)
}

func ensureMade(t *testing.T, c *kafka.Client) {
	t.Helper()
	if err := c.CreateTopics(t.Context(), kafka.Topic{Name: topic, Partitions: 1, Replication: 1}); err != nil {
		t.Fatal(err)
	}
}

// taken starts a topic with five records of which three are made durable.
func taken(t *testing.T) (address string, c *kafka.Client) {
	t.Helper()
	cluster, c := newCluster(t)
	produce(t, c, 0, 0, 5)
	s := session(t, c.Direct(group, topic))
	for range 3 {
		next(t, s)
	}
	commit(t, s, assigned(t, s, 0).Source, ingest.Position{Restart: 1, Durable: 3})
	closeSession(t, s)
	return cluster.ListenAddrs()[0], c
}

func TestALogThatWasMadeAnewIsNoticed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*testing.T, string, *kafka.Client)
		says   string // "" = the session begins
	}{
		{"the same log", func(t *testing.T, _ string, c *kafka.Client) { produce(t, c, 0, 5, 5) }, ""},
		{"longer than what was counted", func(t *testing.T, address string, c *kafka.Client) { remake(t, address, c, 100, 9) }, "weir topics migrate --made-anew"},
		{"exactly as long", func(t *testing.T, address string, c *kafka.Client) { remake(t, address, c, 100, 3) }, "the topic was deleted and made again"},
		{"shorter, which features finds out", func(t *testing.T, address string, c *kafka.Client) { remake(t, address, c, 100, 2) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address, before := taken(t)
			tt.change(t, address, before)
			s, err := newClient(t, kafka.Config{Addresses: []string{address}}).Direct(group, topic).Session(t.Context())
			if err == nil {
				closeSession(t, s)
			}
			switch {
			case tt.says == "" && err != nil:
				t.Errorf("error %v", err)
			case tt.says != "" && (!ingest.IsPermanent(err) || !strings.Contains(err.Error(), tt.says)):
				t.Errorf("error %v, want %q in it", err, tt.says)
			}
		})
	}
}

// TestACommitCountsForItsLogOnly: after an epoch begins, what was committed before it is nobody's position.
func TestACommitCountsForItsLogOnly(t *testing.T) {
	_, c := taken(t)
	c.SetEpoch(topic, 1)
	s := session(t, c.Direct(group, topic))
	a := assigned(t, s, 0)
	if a.Position != (ingest.Position{}) || !strings.HasSuffix(a.Source.String(), ".1/0") {
		t.Errorf("assigned %+v", a)
	}
	next(t, s)
	commit(t, s, a.Source, ingest.Position{Restart: 1, Durable: 1})
	closeSession(t, s)
	if at := assigned(t, session(t, c.Direct(group, topic)), 0).Position; at.Durable != 1 {
		t.Errorf("position %+v, want 1", at)
	}
}

// TestOlderWeirsReadTheNote reads it as they do, and reads what they wrote.
func TestOlderWeirsReadTheNote(t *testing.T) {
	address, c := taken(t)
	raw := rawClient(t, address)
	resp, err := raw.OffsetFetch(t.Context(), &segment.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {0}}})
	if err != nil {
		t.Fatal(err)
	}
	text := resp.Topics[topic][0].Metadata
	var durable int64
	if _, err := fmt.Sscanf(text, "durable=%d", &durable); err != nil || durable != 3 {
		t.Errorf("an older Weir reads %d of %q, error %v", durable, text, err)
	}
	for metadata, want := range map[string]int64{"durable=4": 4, "": 1, "durable=x": 1, "durable=2 log= last=z/z more=1": 2} {
		commitRaw(t.Context(), t, raw, metadata)
		if at, err := c.Committed(t.Context(), group, topic); err != nil || at[0] != (ingest.Position{Restart: 1, Durable: want}) {
			t.Errorf("%q is read as %+v, error %v, want %d", metadata, at, err, want)
		}
	}
}

func rawClient(t *testing.T, address string) *segment.Client {
	t.Helper()
	transport := &segment.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &segment.Client{Addr: segment.TCP(address), Transport: transport}
}

func commitRaw(ctx context.Context, t *testing.T, c *segment.Client, metadata string) {
	t.Helper()
	_, err := c.OffsetCommit(ctx, &segment.OffsetCommitRequest{
		GroupID: group, GenerationID: -1, Topics: map[string][]segment.OffsetCommit{topic: {{Partition: 0, Offset: 1, Metadata: metadata}}},
	})
	if err != nil {
		t.Fatal(err)
	}
}
