package broker

import (
	"fmt"
	"sync/atomic"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// space keeps the broker from filling its disk: below the limit it takes no messages, with an error that clients try again after. What is
// in the log can still be read, and the next message after there is room is taken.
type space struct {
	dir     string
	limit   int64 // bytes that must be free
	free    func(dir string) (int64, error)
	changed func(error) // told why messages are refused, and nil when they are taken again
	full    atomic.Bool
}

// watch lets s decide about every write to the cluster.
func (s *space) watch(c *kfake.Cluster) {
	c.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req, ok := r.(*kmsg.ProduceRequest)
		if !ok || s.enough() {
			return nil, nil, false
		}
		return refuseAll(req), nil, true
	})
}

// enough reports whether there is room. A disk that does not tell is taken to have some: the write itself will show.
func (s *space) enough() bool {
	free, err := s.free(s.dir)
	full := err == nil && free < s.limit
	if s.full.Swap(full) != full {
		if full {
			s.changed(fmt.Errorf("%d MiB are free on the disk of %s, fewer than broker.min_free_mib (%d): no messages are taken and senders wait; make room",
				free>>20, s.dir, s.limit>>20))
		} else {
			s.changed(nil)
		}
	}
	return !full
}

// refuseAll answers every partition of a write with an error that passes.
func refuseAll(req *kmsg.ProduceRequest) kmsg.Response {
	resp, ok := req.ResponseKind().(*kmsg.ProduceResponse)
	if !ok {
		return nil
	}
	for _, t := range req.Topics {
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			one := kmsg.NewProduceResponseTopicPartition()
			one.Partition, one.ErrorCode = p.Partition, kerr.KafkaStorageError.Code
			topic.Partitions = append(topic.Partitions, one)
		}
		resp.Topics = append(resp.Topics, topic)
	}
	return resp
}

// freeBytes is what an ordinary user may still write to the disk of dir.
func freeBytes(dir string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("ask for free space of %s: %w", dir, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:unconvert,gosec // the types differ between systems; no disk has 2^63 bytes
}
