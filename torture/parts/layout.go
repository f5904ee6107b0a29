package parts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Layout says what a cluster is made of.
type Layout struct {
	Binary     string // weir
	Dir        string // data, configuration and logs of all parts; made if missing. A second start on it goes on with the data
	Collectors int
	Features   int

	// Kafka: the embedded broker (`weir broker`), or Apache Kafka.
	Apache    int    // nodes of Apache Kafka; 0 = the embedded broker
	Home      string // folder of Apache Kafka's jars, see apache.Find
	HeapMiB   int    // of each node; 0 = 256
	MinInSync int    // of Apache Kafka; 0 = all nodes, so that what is acknowledged survives any one of them

	Partitions int      // of the topics; 0 = 4
	Env        []string // NAME=value for every part of Weir, for example WEIR_FEATURES_FLUSH_INTERVAL=200ms
	KeepersEnv []string // the same for the embedded broker and ClickHouse alone

	// Disks of limited size (tmpfs, needs root), to be filled: MiB, 0 = a folder of Dir.
	BrokerMiB     int // for each broker
	ClickHouseMiB int
}

func (l Layout) check() error {
	switch {
	case l.Binary == "" || l.Dir == "":
		return errors.New("the layout needs Binary and Dir")
	case l.Collectors < 1 || l.Features < 0 || l.Apache < 0:
		return fmt.Errorf("%d collectors, %d features workers, %d Apache nodes: at least one collector is needed", l.Collectors, l.Features, l.Apache)
	case l.Apache > 0 && l.Home == "":
		return errors.New("the layout needs Home, the folder of Apache Kafka's jars")
	}
	return nil
}

func (l Layout) withDefaults() Layout {
	if l.Partitions == 0 {
		l.Partitions = 4
	}
	return l
}

// env is the environment of a part of Weir. A part that is started while another is away waits for it rather than ending.
func (l Layout) env(more ...string) []string {
	return append(append([]string{"WEIR_WAIT=10m"}, more...), l.Env...)
}

// topics says how the stages make their topics.
func (l Layout) topics() []string {
	return []string{fmt.Sprintf("WEIR_KAFKA_PARTITIONS=%d", l.Partitions), fmt.Sprintf("WEIR_KAFKA_REPLICATION=%d", max(1, l.Apache))}
}

// folder makes the folder of a part.
func (l Layout) folder(name string) (string, error) {
	dir := filepath.Join(l.Dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the folder of %s: %w", name, err)
	}
	return dir, nil
}
