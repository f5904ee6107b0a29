package kafka

import "context"

// GroupState is how far a consumer group has come on some topics.
type GroupState struct {
	Committed bool  // it has committed something
	Lag       int64 // messages behind what it says is done
	Members   int
}

// DescribeGroup tells how a consumer group stands on all partitions of topics.
func (c *Client) DescribeGroup(ctx context.Context, group string, topics ...string) (s GroupState, err error) {
	if s.Members, err = c.Members(ctx, group); err != nil {
		return s, err
	}
	for _, topic := range topics {
		committed, err := c.Committed(ctx, group, topic)
		if err != nil {
			return s, err
		}
		logs, err := c.Bounds(ctx, topic)
		if err != nil {
			return s, err
		}
		for p, log := range logs {
			at, ok := committed[p]
			s.Committed = s.Committed || ok
			s.Lag += max(0, log.End-max(at.Durable, log.First))
		}
	}
	return s, nil
}
