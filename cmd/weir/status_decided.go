package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weirmesh/weir/schemas"
	"github.com/weirmesh/weir/store/clickhouse"
)

// readDecided fills in how far the second half of the loop is. A schema from before there were decisions has nothing to say about it.
func (s *status) readDecided(ctx context.Context, c *clickhouse.Client, cfg clickhouse.Config) error {
	var tables int
	const known = "SELECT count() FROM system.tables WHERE database = 'weir' AND name IN ('positions', 'decisions', 'outcomes', 'findings')"
	if err := ask(ctx, cfg, known, &tables); err != nil || tables < 4 {
		return err
	}
	var errs [3]error
	s.Forecast, errs[0] = s.readDecider(ctx, c, cfg, stageForecast)
	s.Detect, errs[1] = s.readDetect(ctx, c, cfg)
	s.Actuator, errs[2] = s.readActuator(ctx, c, cfg)
	return errors.Join(errs[:]...)
}

func (s *status) readDetect(ctx context.Context, c *clickhouse.Client, cfg clickhouse.Config) (*hopDetect, error) {
	d, err := s.readDecider(ctx, c, cfg, stageDetect)
	if err != nil {
		return nil, err
	}
	h := &hopDetect{hopDecider: *d}
	if err := ask(ctx, cfg, "SELECT count() FROM findings WHERE state = 'firing'", &h.FiringFindings); err != nil {
		return nil, fmt.Errorf("count findings: %w", err)
	}
	return h, nil
}

func (s *status) readDecider(ctx context.Context, c *clickhouse.Client, cfg clickhouse.Config, stage string) (*hopDecider, error) {
	kind, resolution := schemas.Scale, schemas.Resolution(time.Minute)
	if stage == stageDetect {
		kind, resolution = schemas.Shift, schemas.Shortest()
	}
	positions, err := c.Positions(ctx, stage)
	if err != nil {
		return nil, err
	}
	h := &hopDecider{}
	for _, at := range positions {
		h.DecidedUpTo = sooner(h.DecidedUpTo, at)
	}
	from := h.DecidedUpTo
	if from.IsZero() {
		if from, err = c.NextWindow(ctx, resolution, from); err != nil {
			return nil, err
		}
	}
	h.BehindSeconds = s.behind(from, time.Duration(resolution))
	var moved int64
	sql := fmt.Sprintf("SELECT (SELECT toUnixTimestamp(max(stored)) FROM positions WHERE stage = '%s'), "+
		"(SELECT uniqExact(tenant, cluster, region, namespace, workload, version) FROM decisions "+
		"WHERE kind = '%s' AND verdict = 'propose' AND valid_until > fromUnixTimestamp64Milli(%d))", stage, kind, max(0, h.DecidedUpTo.UnixMilli()))
	if err := ask(ctx, cfg, sql, &moved, &h.LiveProposals); err != nil {
		return nil, fmt.Errorf("read what %s has decided: %w", stage, err)
	}
	h.LastData = timeOf(moved * 1e9)
	return h, nil
}

// readActuator expects that the deciders are known: nothing is decided further than they are.
func (s *status) readActuator(ctx context.Context, c *clickhouse.Client, cfg clickhouse.Config) (*hopActuator, error) {
	open, err := c.OpenDecisions(ctx)
	if err != nil {
		return nil, err
	}
	const sql = "SELECT (SELECT toUnixTimestamp(max(stored)) FROM outcomes) AS last, toUnixTimestamp64Milli(min(d.made_at)), " +
		"toUnixTimestamp(min(d.stored)) FROM decisions AS d LEFT ANTI JOIN outcomes AS o ON o.decision_id = d.decision_id " +
		"WHERE toUnixTimestamp(d.stored) >= last"
	var last, made, since int64
	if err := ask(ctx, cfg, sql, &last, &made, &since); err != nil {
		return nil, fmt.Errorf("read outcomes: %w", err)
	}
	h := &hopActuator{OpenDecisions: open, WaitingSince: timeOf(since * 1e9)}
	h.LastData, h.DecidedUpTo = timeOf(last*1e9), timeOf(made*1e6)
	if h.DecidedUpTo.IsZero() && s.Forecast != nil && s.Detect != nil {
		h.DecidedUpTo = sooner(s.Forecast.DecidedUpTo, s.Detect.DecidedUpTo)
	}
	h.BehindSeconds = s.behind(h.DecidedUpTo, time.Minute) // the longest windows that are decided about
	return h, nil
}

// behind is the event time from t to the end of the last window that is closed, in seconds; nil if one of them is not known.
func (s *status) behind(t time.Time, window time.Duration) *int64 {
	if t.IsZero() || s.Features.Watermark.IsZero() {
		return nil
	}
	seconds := int64(max(0, s.Features.Watermark.Truncate(window).Sub(t)) / time.Second)
	return &seconds
}

// ask reads one row of numbers.
func ask(ctx context.Context, cfg clickhouse.Config, sql string, into ...any) error {
	var row bytes.Buffer
	if err := clickhouse.Query(ctx, cfg, sql, "TabSeparated", &row); err != nil {
		return err
	}
	_, err := fmt.Fscan(&row, into...)
	return err
}
