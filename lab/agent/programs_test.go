package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/weirmesh/weir/lab/agent"
	"github.com/weirmesh/weir/lab/process"
	"github.com/weirmesh/weir/lab/service"
	"github.com/weirmesh/weir/lab/spec"
)

// programs stand in for those that the agent starts: each only answers where it is administered. Pods of these tests are in 10.244.0.0/24,
// where a lab that runs on the same machine has none.
type programs struct {
	t *testing.T

	mu      sync.Mutex
	running map[string]*standIn
	sick    map[string]bool // never ready
	stopped []string        // in order
}

func newPrograms(t *testing.T) *programs {
	t.Helper()
	if l, err := net.Listen("tcp", "127.2.64.4:0"); err != nil { //nolint:noctx // only a try
		t.Skipf("pods need all of 127.0.0.0/8, which only Linux has: %v", err)
	} else {
		_ = l.Close()
	}
	return &programs{t: t, running: map[string]*standIn{}, sick: map[string]bool{}}
}

type standIn struct {
	all    *programs
	name   string
	addr   string
	on     func(process.Event)
	server *http.Server

	mu     sync.Mutex
	starts int
	down   bool
	faults []spec.Fault
	puts   int
}

func (p *programs) keep(_ context.Context, s process.Spec, on func(process.Event)) agent.Program {
	one := &standIn{all: p, name: s.Name, addr: p.admin(s), on: on}
	p.mu.Lock()
	p.running[s.Name] = one
	p.mu.Unlock()
	one.start()
	return one
}

// admin reads where a program is administered from its configuration, as the program would.
func (p *programs) admin(s process.Spec) string {
	if s.Args[0] == "service" {
		c, err := service.ReadConfig(s.Args[1])
		if err != nil {
			p.t.Error(err)
		}
		return c.Admin.String()
	}
	var boot struct {
		Admin struct {
			Address struct {
				Socket struct {
					Address string `json:"address"`
					Port    string `json:"port_value"`
				} `json:"socket_address"`
			} `json:"address"`
		} `json:"admin"`
	}
	text, err := os.ReadFile(s.Args[1])
	if err == nil {
		err = yaml.Unmarshal([]byte(strings.ReplaceAll(string(text), "port_value: 15000", `port_value: "15000"`)), &boot)
	}
	if err != nil && !strings.Contains(err.Error(), "port_value") {
		p.t.Error(err)
	}
	return net.JoinHostPort(boot.Admin.Address.Socket.Address, boot.Admin.Address.Socket.Port)
}

func (p *programs) get(name string) *standIn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.running[name]
}

func (p *programs) ended() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.stopped)
}

func (s *standIn) start() {
	l, err := net.Listen("tcp", s.addr) //nolint:noctx // it is there at once
	if err != nil {
		s.all.t.Errorf("%s: %v", s.name, err)
		return
	}
	server := &http.Server{Handler: http.HandlerFunc(s.serve)} //nolint:gosec // a test's
	s.mu.Lock()
	s.starts, s.down, s.faults, s.server = s.starts+1, false, nil, server
	s.mu.Unlock()
	go func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.all.t.Error(err)
		}
	}()
	s.on(process.Event{Name: s.name, Pid: 1})
}

// end is what happens when the program ends by itself.
func (s *standIn) end() {
	s.mu.Lock()
	s.down = true
	s.mu.Unlock()
	_ = s.server.Close()
	s.on(process.Event{Name: s.name, Ended: true, Pause: time.Millisecond})
}

func (s *standIn) serve(w http.ResponseWriter, r *http.Request) {
	s.all.mu.Lock()
	sick := s.all.sick[s.name]
	s.all.mu.Unlock()
	if sick {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if r.Method == http.MethodPut {
		text, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.puts++
		if err := json.Unmarshal(text, &s.faults); err != nil {
			s.all.t.Error(err)
		}
	}
}

func (s *standIn) holds() []spec.Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.faults)
}

func (s *standIn) Stop(time.Duration) error {
	s.all.mu.Lock()
	s.all.stopped = append(s.all.stopped, s.name)
	s.all.mu.Unlock()
	if s.server == nil {
		return nil // it could not listen, which the test knows
	}
	return s.server.Close()
}

func (s *standIn) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return 0
	}
	return 1
}

func (s *standIn) Starts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.starts
}
