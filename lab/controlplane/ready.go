package controlplane

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/weirmesh/weir/lab/process"
)

const (
	pollEvery = 50 * time.Millisecond
	pollOnce  = 5 * time.Second // for one answer
	startTime = 90 * time.Second
	maxStarts = 3 // a part that ends this often before it is ready will not get better
)

// probe says nil when a part is ready.
type probe func(ctx context.Context) error

// await polls until a part is ready. The error holds what the part said last.
func await(ctx context.Context, part *process.Kept, ready probe) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		once, stop := context.WithTimeout(ctx, pollOnce)
		err := ready(once)
		stop()
		switch {
		case err == nil:
			return nil
		case part.Starts() >= maxStarts:
			return fmt.Errorf("%s ends when it is started; see %s: %s", part.Name(), part.Log(), tail(part.Log()))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (%w; %w); see %s: %s", part.Name(), context.Cause(ctx), err, part.Log(), tail(part.Log()))
		case <-ticker.C:
		}
	}
}

// answers asks an HTTP endpoint for 200.
func answers(client *http.Client, url string) probe {
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // only for the error
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s: %s", url, response.Status, bytes.TrimSpace(body))
		}
		return nil
	}
}

// listens tries to connect.
func listens(address string) probe {
	return func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

func both(a, b probe) probe {
	return func(ctx context.Context) error {
		if err := a(ctx); err != nil {
			return err
		}
		return b(ctx)
	}
}

// tail returns the last lines of a log.
func tail(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-3):], []byte("\n")))
}
