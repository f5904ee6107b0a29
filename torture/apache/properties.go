package apache

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Names of the listeners that are not for clients.
const (
	controllerListener  = "CONTROLLER"
	replicationListener = "REPLICATION"
)

// text is server.properties of a node.
func (c Config) text(node int) string {
	n, copies := c.Nodes[node], len(c.Nodes)
	roles, listeners := "broker", []string{replicationListener + "://" + n.Replication}
	if node == 0 {
		roles, listeners = "controller,broker", append(listeners, controllerListener+"://"+c.Controller)
	}
	advertised, protocols := []string{replicationListener + "://" + n.Replication}, []string{"CONTROLLER:PLAINTEXT", "REPLICATION:PLAINTEXT"}
	for _, l := range n.Listeners {
		at := l.Advertised
		if at == "" {
			at = l.Listen
		}
		listeners = append(listeners, l.Name+"://"+l.Listen)
		advertised = append(advertised, l.Name+"://"+at)
		protocols = append(protocols, l.Name+":"+l.Security.protocol())
	}
	minInSync := c.MinInSync
	if minInSync == 0 {
		minInSync = copies
	}
	var b strings.Builder
	set := func(key string, value any) { fmt.Fprintf(&b, "%s=%v\n", key, value) }
	set("process.roles", roles)
	set("node.id", n.ID)
	set("controller.quorum.voters", fmt.Sprintf("%d@%s", c.Nodes[0].ID, c.Controller))
	set("controller.listener.names", controllerListener)
	set("inter.broker.listener.name", replicationListener)
	set("listeners", strings.Join(listeners, ","))
	set("advertised.listeners", strings.Join(advertised, ","))
	set("listener.security.protocol.map", strings.Join(protocols, ","))
	set("log.dirs", n.log())
	set("default.replication.factor", copies)
	set("min.insync.replicas", minInSync)
	set("unclean.leader.election.enable", false)
	set("auto.create.topics.enable", false)
	set("offsets.topic.replication.factor", copies)
	set("offsets.topic.num.partitions", 4)
	set("transaction.state.log.replication.factor", copies)
	set("transaction.state.log.min.isr", minInSync)
	set("group.initial.rebalance.delay.ms", 0)
	// A dead broker is noticed within seconds, as long as a pause of the tests.
	set("broker.session.timeout.ms", 6000)
	set("replica.lag.time.max.ms", 6000)
	// Small: a few threads, no 128 MB for compacting.
	set("num.network.threads", 1)
	set("num.io.threads", 4)
	set("background.threads", 2)
	set("log.cleaner.dedupe.buffer.size", 4<<20)
	c.secure(n, set)
	for _, key := range slices.Sorted(maps.Keys(c.Settings)) {
		set(key, c.Settings[key])
	}
	return b.String()
}
