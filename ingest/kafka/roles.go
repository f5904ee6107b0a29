package kafka

import (
	"fmt"
	"slices"

	"github.com/weirmesh/weir/schemas/wire"
)

// Operations on topics and groups, in the words of kafka-acls.sh. Read and Write allow Describe too.
const (
	Read            = "Read"
	Write           = "Write"
	Create          = "Create"
	Delete          = "Delete"
	Alter           = "Alter"
	Describe        = "Describe"
	DescribeConfigs = "DescribeConfigs"
	AlterConfigs    = "AlterConfigs"
)

// Kinds of what a right is about, as kafka-acls.sh names them.
const (
	KindTopic = "topic"
	KindGroup = "group"
)

// Right is what somebody may do with one topic or consumer group.
type Right struct {
	Kind, Name string
	Operations []string
}

// Role is a part of Weir and all that it does with Kafka.
type Role struct {
	Name   string // as in the names of its user and of its file in deploy/kafka/acls
	Does   string
	Rights []Right
}

// Topics lists the topics of the role's rights.
func (r Role) Topics() []string {
	var names []string
	for _, right := range r.Rights {
		if right.Kind == KindTopic {
			names = append(names, right.Name)
		}
	}
	return names
}

// Roles is the one table of who does what with Kafka. group is the consumer group of the features stage (kafka.group).
func Roles(group string) []Role {
	const calls, samples, progress, letters = wire.TopicCalls, wire.TopicSamples, wire.TopicProgress, wire.TopicDeadLetter
	const alerts, decisions, outcomes = wire.TopicAlerts, wire.TopicDecisions, wire.TopicOutcomes
	admin := []string{Create, Describe, DescribeConfigs, Alter, AlterConfigs, Delete, Read}
	return []Role{
		{"collector", "takes telemetry and writes calls and samples", rights(to(Write, calls, samples, letters))},
		{"features", "counts calls and samples, and says how far it is", rights(to(Read, calls, samples), to(Write, progress, letters), in(group))},
		{"forecast", "follows the progress, and publishes decisions", rights(
			to(Read, progress, alerts), both(decisions), to(Describe, calls, samples), in("weir-forecast"))},
		{"detect", "follows the progress, and publishes alerts and decisions", rights(
			to(Read, progress), both(alerts, decisions), to(Describe, calls), in("weir-detect"))},
		{"actuator", "settles decisions, and publishes their outcomes", rights(
			to(Read, decisions), both(outcomes), to(Write, letters), in("weir-actuator"))},
		{"reader", "people's commands that only look: status, doctor, deadletter, alerts, decisions", rights(
			each([]string{calls, samples, progress, alerts, decisions, outcomes, letters}, Read, DescribeConfigs),
			[]Right{{KindGroup, group, []string{Describe}}, {KindGroup, "weir-actuator", []string{Describe}}})},
		{"replay", "weir replay on a cluster: ends recordings, and keeps rows that cannot be read", rights(
			to(Write, calls, samples), to(Read, progress), both(letters))},
		{"topics", "weir topics: makes topics, changes them, and moves them to another number of partitions", slices.Concat(
			each([]string{calls, samples}, append(slices.Clone(admin), Write)...),
			each([]string{progress, alerts, decisions, outcomes, letters}, admin...),
			[]Right{{KindGroup, group, []string{Describe, Delete, Read}}})},
	}
}

// RoleOf finds a role by name.
func RoleOf(group, name string) (Role, error) {
	for _, r := range Roles(group) {
		if r.Name == name {
			return r, nil
		}
	}
	return Role{}, fmt.Errorf("no part of Weir is called %q", name)
}

func rights(groups ...[]Right) []Right { return slices.Concat(groups...) }

func to(operation string, topics ...string) []Right { return each(topics, operation) }

func both(topics ...string) []Right { return each(topics, Read, Write) }

func in(group string) []Right { return []Right{{KindGroup, group, []string{Read}}} }

func each(topics []string, operations ...string) []Right {
	all := make([]Right, len(topics))
	for i, t := range topics {
		all[i] = Right{KindTopic, t, operations}
	}
	return all
}
