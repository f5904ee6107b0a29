package load_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weirmesh/weir/lab/load"
	"github.com/weirmesh/weir/lab/load/tally"
	"github.com/weirmesh/weir/lab/spec"
)

// serve answers at once, until standard input ends.
func serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(l.Addr())
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK) }))
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// elsewhere runs the server in a process of its own, so that its CPU time is not the generator's.
func elsewhere(b *testing.B) string {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(address)
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkGenerator sends for some seconds at several rates, on one core. The generator is honest as long as lag p99 stays small:
//
//	go test ./lab/load -run '^$' -bench Generator -benchtime 1x
func BenchmarkGenerator(b *testing.B) {
	target := netip.MustParseAddrPort(elsewhere(b))
	for _, rate := range []float64{100, 1000, 2000, 4000, 8000, 12000} {
		b.Run(fmt.Sprintf("rate=%g", rate), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			for b.Loop() {
				measure(b, target, rate)
			}
		})
	}
}

func measure(b *testing.B, target netip.AddrPort, rate float64) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	admin := netip.MustParseAddrPort(l.Addr().String())
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	cfg := load.Config{
		Load: spec.Load{Rate: rate}, Entry: entry(home()), Target: target, Admin: admin, Host: "h",
		Ledger: filepath.Join(b.TempDir(), "load.ledger"),
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	before := cpu(b)
	go func() { done <- load.Run(ctx, cfg) }()
	<-time.After(4 * time.Second)
	spent := cpu(b) - before
	resp, err := http.Get("http://" + admin.String() + "/latency")
	if err != nil {
		b.Fatal(err)
	}
	var got tally.Latency
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		b.Fatal(err)
	}
	_ = resp.Body.Close()
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(got.All.N)/4, "sent/s")
	b.ReportMetric(float64(spent.Microseconds())/float64(got.All.N), "cpu-us/request")
	b.ReportMetric(got.Lag.P50, "lag-p50-ms")
	b.ReportMetric(got.Lag.P99, "lag-p99-ms")
	b.ReportMetric(got.All.P99, "p99-ms")
}
