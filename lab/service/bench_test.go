package service_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// BenchmarkInstance is what one request costs the process of a service, as /proc counts it: without the client, with telemetry.
func BenchmarkInstance(b *testing.B) {
	for _, calls := range []int{0, 1} {
		b.Run(fmt.Sprintf("calls=%d", calls), func(b *testing.B) {
			web, back := plain(b, "web", get("/")), plain(b, "back", get("/"))
			web.Versions[0].Work, back.Versions[0].Work = 0, 0
			for range calls {
				web.Endpoints[0].Calls = append(web.Endpoints[0].Calls, callTo("back"))
			}
			m := newMesh(b, web, back)
			m.run(m.config(m.services[1]))
			one, cmd := m.child(m.config(m.services[0]))
			defer func() {
				cmd.Process.Kill()
				cmd.Wait()
			}()
			before := ticks(b, cmd.Process.Pid)
			client := &http.Client{}
			defer client.CloseIdleConnections()
			url := one.url("/")
			for b.Loop() {
				answer, err := client.Get(url)
				if err != nil {
					b.Fatal(err)
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
			used := float64(ticks(b, cmd.Process.Pid)-before) / 100 // seconds
			b.ReportMetric(used/float64(b.N)*1e6, "service-us/op")
			b.ReportMetric(float64(resident(b, cmd.Process.Pid))/1024, "resident-MiB")
		})
	}
}

// ticks is the CPU time of a process, in hundredths of a second.
func ticks(b *testing.B, pid int) (n int) {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip("CPU time of another process is read from /proc:", err)
	}
	fields := strings.Fields(string(text)[strings.LastIndex(string(text), ")")+1:])
	var user, system int
	fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	return user + system
}

// resident is a process's memory in KiB.
func resident(b *testing.B, pid int) (n int) {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fmt.Sscan(rest, &n)
	return n
}
