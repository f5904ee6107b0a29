package collector

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"go.uber.org/zap/zapcore"
)

// core writes the Collector's log to slog. What the Collector tells as information (each part that starts or stops) is a debugging aid
// beside Weir's own log.
type core struct {
	handler slog.Handler
	fields  []zapcore.Field
}

var _ zapcore.Core = (*core)(nil)

func levelOf(l zapcore.Level) slog.Level {
	switch {
	case l < zapcore.InfoLevel:
		return slog.LevelDebug - 4
	case l == zapcore.InfoLevel:
		return slog.LevelDebug
	case l == zapcore.WarnLevel:
		return slog.LevelWarn
	}
	return slog.LevelError
}

func (c *core) Enabled(l zapcore.Level) bool {
	return c.handler.Enabled(context.Background(), levelOf(l))
}

func (c *core) With(fields []zapcore.Field) zapcore.Core {
	return &core{handler: c.handler, fields: append(slices.Clip(c.fields), fields...)}
}

func (c *core) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

func (c *core) Write(e zapcore.Entry, fields []zapcore.Field) error {
	values := zapcore.NewMapObjectEncoder()
	for _, f := range c.fields {
		f.AddTo(values)
	}
	for _, f := range fields {
		f.AddTo(values)
	}
	record := slog.NewRecord(e.Time, levelOf(e.Level), e.Message, 0)
	for _, key := range slices.Sorted(maps.Keys(values.Fields)) {
		record.AddAttrs(slog.Any(key, values.Fields[key]))
	}
	return c.handler.Handle(context.Background(), record)
}

// Sync has nothing to flush.
func (*core) Sync() error { return nil }
