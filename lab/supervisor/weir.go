package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/weirmesh/weir/lab/process"
)

// partitions of the embedded broker's topics: its default, which the collectors have to know.
const partitions = 4

// startWeir starts Weir as its users would: everything in one process, which takes what the first region reports, and a collector for each
// further region.
func (s *Supervisor) startWeir(ctx, parts context.Context) error {
	data := filepath.Join(s.cfg.Run, "weir")
	err := s.writeYAML("weir.yaml", map[string]any{
		"data_dir":   data,
		"collector":  map[string]any{"grpc": s.ports.OTLP[0], "http": s.ports.OTLPHTTP[0]},
		"kafka":      map[string]any{"partitions": partitions},
		"broker":     map[string]any{"listen": s.ports.Broker},
		"clickhouse": map[string]any{"listen": s.ports.ClickHouse, "memory_mib": 1536},
		"ops":        map[string]any{"listen": s.ports.Ops},
		"actuator":   map[string]any{"kubeconfig": s.plane.Kubeconfig},
	})
	if err != nil {
		return err
	}
	s.weir = s.keep(parts, process.Spec{Name: "weir", Path: s.cfg.Weir, Args: []string{"up", "--config", filepath.Join(s.cfg.Run, "weir.yaml")}})
	if err := untilReady(ctx, s.weir, s.ports.Ops); err != nil {
		return err
	}
	for i, r := range s.cfg.Lab.Mesh.Regions[1:] {
		if err := s.startCollector(ctx, parts, r.Name, i+1); err != nil {
			return err
		}
	}
	return nil
}

// startCollector starts the collector of the region with number i.
func (s *Supervisor) startCollector(ctx, parts context.Context, region string, i int) error {
	name := "weir-collector-" + region
	err := s.writeYAML(name+".yaml", map[string]any{
		"data_dir":  filepath.Join(s.cfg.Run, name),
		"collector": map[string]any{"grpc": s.ports.OTLP[i], "http": s.ports.OTLPHTTP[i]},
		"kafka":     map[string]any{"addresses": []string{s.ports.Broker}, "partitions": partitions, "replication": 1},
		"ops":       map[string]any{"listen": s.ports.CollectorOps[i]},
		"wait":      "5m", // Weir may be away for a while
	})
	if err != nil {
		return err
	}
	kept := s.keep(parts, process.Spec{Name: name, Path: s.cfg.Weir, Args: []string{"collector", "--config", filepath.Join(s.cfg.Run, name+".yaml")}})
	s.mu.Lock()
	s.collectors[region] = kept
	s.mu.Unlock()
	return untilReady(ctx, kept, s.ports.CollectorOps[i])
}

// setCollector kills the collector of a region, or brings it back.
func (s *Supervisor) setCollector(_ context.Context, region string, up bool) error {
	regions := s.cfg.Lab.Mesh.Regions
	if region == regions[0].Name {
		return fmt.Errorf("the collector of %s is part of the process that is all of Weir: kill that, or choose another region", region)
	}
	s.mu.Lock()
	kept := s.collectors[region]
	s.mu.Unlock()
	if kept == nil {
		return fmt.Errorf("region %s has no collector", region)
	}
	if up {
		s.down.Store(nil)
		return nil // the process has been started again long ago
	}
	s.down.Store(&region)
	if pid := kept.Pid(); pid != 0 {
		p, err := os.FindProcess(pid)
		if err != nil {
			return fmt.Errorf("kill the collector of %s: %w", region, err)
		}
		if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("kill the collector of %s: %w", region, err)
		}
	}
	return nil
}

// keep starts a program and keeps it running.
func (s *Supervisor) keep(parts context.Context, spec process.Spec) *process.Kept {
	spec.Log = filepath.Join(s.cfg.Run, "logs", spec.Name+".log")
	return process.Keep(parts, spec, s.cfg.Run, func(e process.Event) {
		switch {
		case e.Ended && e.Pause > 0:
			s.log.Warn("Part ended and was started again", "part", e.Name, "error", e.Err, "after", e.Pause)
		case !e.Ended && e.Name == loadName:
			select { // it has forgotten which faults hold
			case s.again <- struct{}{}:
			default:
			}
		}
	})
}

func (s *Supervisor) writeYAML(name string, v any) error {
	text, err := yaml.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(s.cfg.Run, name), text, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// How long a part may take to become ready, and how often it is asked.
const (
	readyWithin = time.Minute
	readyEvery  = 100 * time.Millisecond
)

// errGivenUp ends a wait that has no point any more.
var errGivenUp = errors.New("it ends each time it is started")

// hopeless is how often a part may end while it starts.
const hopeless = 3

// untilReady waits until /readyz of a part says 200.
func untilReady(ctx context.Context, part *process.Kept, ops string) error {
	return poll(ctx, fmt.Sprintf("%s did not become ready: see %s", part.Name(), part.Log()), func() (bool, error) {
		if part.Starts() > hopeless {
			return false, fmt.Errorf("%w, and says: %s", errGivenUp, lastLine(part.Log()))
		}
		ctx, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ops+"/readyz", nil)
		if err != nil {
			return false, err
		}
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			return false, err
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK, fmt.Errorf("it answered %s", answer.Status)
	})
}

// lastLine returns the last line of a log, for people who would look there first.
func lastLine(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// untilListening waits until a part listens at an address.
func untilListening(ctx context.Context, part *process.Kept, address string) error {
	return poll(ctx, fmt.Sprintf("%s did not listen: see %s", part.Name(), part.Log()), func() (bool, error) {
		if part.Starts() > hopeless {
			return false, fmt.Errorf("%w, and says: %s", errGivenUp, lastLine(part.Log()))
		}
		return listens(ctx, address)
	})
}

// listens reports whether somebody listens at an address.
func listens(ctx context.Context, address string) (bool, error) {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return false, err
	}
	return true, conn.Close()
}

// poll asks until the answer is yes. The last reason for a no is in the error.
func poll(ctx context.Context, failure string, ask func() (bool, error)) error {
	ctx, stop := context.WithTimeout(ctx, readyWithin)
	defer stop()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		ok, why := ask()
		if ok {
			return nil
		}
		if errors.Is(why, errGivenUp) {
			return fmt.Errorf("%s: %w", failure, why)
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s: %w", failure, ctx.Err()), why)
		case <-tick.C:
		}
	}
}
