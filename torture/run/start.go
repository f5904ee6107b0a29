package run

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// start runs a part, of a version that the seed says. A node of Apache Kafka is waited for, as only one may be missing.
func (m *harmer) start(ctx context.Context, name string) error {
	m.mu.Lock()
	m.starts[name]++
	n := m.starts[name]
	m.mu.Unlock()
	if m.cfg.Previous != "" && (strings.HasPrefix(name, "collector-") || strings.HasPrefix(name, "features-")) {
		return m.oneOfTwo(ctx, name, coin(m.cfg.Seed, name, n))
	}
	if err := m.cluster.Run(name); err != nil || !strings.HasPrefix(name, "kafka-") {
		return err
	}
	return m.cluster.Await(ctx, name)
}

// oneOfTwo starts a part as one of two versions. The previous one may refuse, for example a schema that is newer than itself; then it is not
// the one that runs.
func (m *harmer) oneOfTwo(ctx context.Context, name string, previous bool) error {
	binary := m.cfg.Weir
	if previous {
		binary = m.cfg.Previous
		m.previous.Add(1)
	}
	m.history.add(event{What: "note", Text: fmt.Sprintf("%s starts as %s", name, binary)})
	if err := errors.Join(m.cluster.Use(name, binary), m.cluster.Run(name)); err != nil || !previous {
		return err
	}
	within, cancel := context.WithTimeout(ctx, startTakes)
	defer cancel()
	if err := m.cluster.Await(within, name); err == nil || ctx.Err() != nil || m.cluster.Pid(name) != 0 {
		return ctx.Err()
	}
	m.note("the previous version of " + name + " ended by itself and was replaced")
	return errors.Join(m.cluster.Use(name, m.cfg.Weir), m.cluster.Run(name))
}

// coin is thrown for the nth start of a part.
func coin(seed uint64, name string, n int) bool {
	sum := fnv.New64a()
	fmt.Fprint(sum, name, n) // a hash takes everything
	return rand.New(rand.NewPCG(seed, sum.Sum64())).IntN(2) == 1
}
