package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/describegroups"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// Check connects, and compares what this client may do with the rights it will need. Its error names every right that is missing. A
// cluster that is too old to be asked (before 2.3) is taken at its word later.
func (c *Client) Check(ctx context.Context, rights ...Right) error {
	topics, err := c.allowedTopics(ctx, rights)
	if err != nil {
		return err
	}
	groups, err := c.allowedGroups(ctx, rights)
	if err != nil {
		return err
	}
	var missing []string
	for _, r := range rights {
		allowed, known := topics[r.Name]
		if r.Kind == KindGroup {
			allowed, known = groups[r.Name]
		}
		for _, o := range r.Operations {
			if known && !allowed.has(o) {
				missing = append(missing, fmt.Sprintf("%s on %s %s", o, r.Kind, r.Name))
			}
		}
	}
	if len(missing) > 0 {
		return refuse(kafka.TopicAuthorizationFailed, "%s lacks rights: %s (`weir topics acls` prints the rights that each stage needs)",
			c.who(), strings.Join(missing, ", "))
	}
	return nil
}

// operations is a set of Kafka's operations: bit n stands for the operation with code n.
type operations int32

func (o operations) has(operation string) bool {
	// The codes of https://github.com/apache/kafka/blob/trunk/clients/src/main/java/org/apache/kafka/common/acl/AclOperation.java
	codes := []string{3: Read, 4: Write, 5: Create, 6: Delete, 7: Alter, 8: Describe, 10: DescribeConfigs, 11: AlterConfigs}
	return o&(1<<slices.Index(codes, operation)) != 0
}

// unsaid is what a broker answers that was not asked for operations, or does not know the question.
const unsaid = math.MinInt32

// allowedTopics asks what may be done with topics. Topics that are not there are not in the answer, unless they may not even be seen.
func (c *Client) allowedTopics(ctx context.Context, rights []Right) (map[string]operations, error) {
	req := &metadata.Request{TopicNames: []string{}, IncludeTopicAuthorizedOperations: true}
	for _, r := range rights {
		if r.Kind == KindTopic {
			req.TopicNames = append(req.TopicNames, r.Name)
		}
	}
	m, err := c.ask(ctx, req)
	if err != nil {
		return nil, err
	}
	resp, ok := m.(*metadata.Response)
	if !ok {
		return nil, fmt.Errorf("ask for rights on topics: unexpected answer %T", m)
	}
	out := map[string]operations{}
	for _, t := range resp.Topics {
		switch refused := errors.Is(kafka.Error(t.ErrorCode), kafka.TopicAuthorizationFailed); {
		case refused:
			out[t.Name] = 0
		case t.ErrorCode == 0 && t.TopicAuthorizedOperations != unsaid && t.TopicAuthorizedOperations != 0:
			out[t.Name] = operations(t.TopicAuthorizedOperations)
		}
	}
	return out, nil
}

// ask sends one request over a connection of its own: the transport would answer from what it knows already.
func (c *Client) ask(ctx context.Context, req protocol.Message) (protocol.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*c.dialer.timeout)
	defer cancel()
	var errs []error
	for _, address := range c.addresses {
		conn, versions, err := c.dialer.open(ctx, "tcp", address)
		if err != nil {
			errs = append(errs, c.explain("the cluster", err))
			continue
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		talk := protocol.NewConn(conn, c.dialer.clientID)
		talk.SetVersions(versions)
		m, err := talk.RoundTrip(req)
		stop()
		_ = conn.Close() // it was used for one question
		if err == nil {
			return m, nil
		}
		errs = append(errs, c.explain("the cluster", c.dialer.explainSilence(ctx, address, err)))
	}
	return nil, errors.Join(errs...)
}

// allowedGroups asks what may be done with consumer groups.
func (c *Client) allowedGroups(ctx context.Context, rights []Right) (map[string]operations, error) {
	req := &describegroups.Request{IncludeAuthorizedOperations: true}
	for _, r := range rights {
		if r.Kind == KindGroup {
			req.Groups = append(req.Groups, r.Name)
		}
	}
	if len(req.Groups) == 0 {
		return nil, nil
	}
	if _, err := c.ClusterID(ctx); err != nil { // the transport finds a group's coordinator only once it knows the brokers
		return nil, err
	}
	m, err := c.transport.RoundTrip(ctx, c.kafka.Addr, req)
	if err != nil {
		return nil, fmt.Errorf("ask for rights on groups: %w", c.explain("group "+strings.Join(req.Groups, ", "), err))
	}
	resp, ok := m.(*describegroups.Response)
	if !ok {
		return nil, fmt.Errorf("ask for rights on groups: unexpected answer %T", m)
	}
	out := map[string]operations{}
	for _, g := range resp.Groups {
		switch refused := errors.Is(kafka.Error(g.ErrorCode), kafka.GroupAuthorizationFailed); {
		case refused:
			out[g.GroupID] = 0
		case g.ErrorCode == 0 && g.AuthorizedOperations != unsaid && g.AuthorizedOperations != 0:
			out[g.GroupID] = operations(g.AuthorizedOperations)
		}
	}
	return out, nil
}
