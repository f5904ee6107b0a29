package clickhouse

import (
	"context"
	"fmt"
	"strings"

	"github.com/weirmesh/weir/schemas/columns"
)

// insertSpans writes spans as they came. The guard lets each message's rows through once (migration 0009), and who wrote them makes no
// difference, so nothing has to be read back.
func (c *Client) insertSpans(ctx context.Context, messages []columns.KeptSpans) error {
	if len(messages) == 0 {
		return nil
	}
	value, err := columns.EncodeKeptSpans(messages)
	if err != nil {
		return err
	}
	sql := fmt.Sprintf("INSERT INTO weir.in_spans (%s) SETTINGS %s", strings.Join(columns.KeptSpanNames(), ", "), settings)
	if err := c.insert(ctx, sql, value); err != nil {
		return fmt.Errorf("insert spans of %d messages: %w", len(messages), err)
	}
	return nil
}
