package proxy_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirmesh/weir/torture/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come; a moment is how long for what must not.
const (
	patience = 20 * time.Second
	moment   = 100 * time.Millisecond
)

// target is a server that hands its connections to the test.
type target struct {
	t        *testing.T
	listener net.Listener
	accepted chan net.Conn
}

func start(t *testing.T) (*target, *proxy.Proxy) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tg := &target{t: t, listener: l, accepted: make(chan net.Conn, 16)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			tg.accepted <- c
		}
	}()
	p, err := proxy.New("127.0.0.1:0", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		_ = l.Close()
		<-done
	})
	return tg, p
}

func (tg *target) accept() net.Conn {
	tg.t.Helper()
	select {
	case c := <-tg.accepted:
		return c
	case <-time.After(patience):
		tg.t.Fatal("nobody reached the target")
		return nil
	}
}

func dial(t *testing.T, p *proxy.Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// pair returns both ends of a connection through the proxy.
func pair(t *testing.T, tg *target, p *proxy.Proxy) (client, server net.Conn) {
	t.Helper()
	client = dial(t, p)
	return client, tg.accept()
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("read %q, error %v, want %q", got, err, want)
	}
}

// expectNothing makes sure that neither data nor an end comes.
func expectNothing(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(moment))
	var netErr net.Error
	n, err := c.Read(make([]byte, 1))
	if n != 0 || !errors.As(err, &netErr) || !netErr.Timeout() {
		t.Fatalf("read %d bytes, error %v; want silence", n, err)
	}
}

// expectReset makes sure that the connection breaks without another byte.
func expectReset(t *testing.T, c net.Conn) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read %d bytes, error %v; want a reset", n, err)
	}
}

// expectRefusal makes sure that a new connection breaks at once, or does not even come about.
func expectRefusal(t *testing.T, p *proxy.Proxy) {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if errors.Is(err, syscall.ECONNRESET) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	expectReset(t, c)
}

func TestPass(t *testing.T) {
	tg, p := start(t)
	client, server := pair(t, tg, p)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	sent := make(chan error, 1)
	go func() {
		_, err := client.Write(big)
		sent <- errors.Join(err, client.(*net.TCPConn).CloseWrite())
	}()
	got, err := io.ReadAll(server)
	if err != nil || !bytes.Equal(got, big) {
		t.Fatalf("%d of %d bytes came, error %v", len(got), len(big), err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	send(t, server, "an answer after the end of the request") // one direction has ended in order, the other has not
	expect(t, client, "an answer after the end of the request")
	_ = server.Close()
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the end in order came as %v", err)
	}
}

func TestPause(t *testing.T) {
	tg, p := start(t)
	client, server := pair(t, tg, p)
	p.Set(proxy.Behaviour{Pause: true})
	send(t, client, "request")
	send(t, server, "answer")
	expectNothing(t, server)
	expectNothing(t, client)
	p.Heal()
	expect(t, server, "request")
	expect(t, client, "answer")
}

func TestCut(t *testing.T) {
	tg, p := start(t)
	client, server := pair(t, tg, p)
	p.Set(proxy.Behaviour{Cut: true})
	expectReset(t, client)
	expectReset(t, server)
	expectRefusal(t, p)
	p.Heal()
	client, server = pair(t, tg, p)
	send(t, client, "again")
	expect(t, server, "again")
}

func TestCutWhilePaused(t *testing.T) {
	tg, p := start(t)
	client, server := pair(t, tg, p)
	p.Set(proxy.Behaviour{Pause: true})
	send(t, client, "never")
	p.Set(proxy.Behaviour{Cut: true})
	expectReset(t, client)
	expectReset(t, server)
}

// TestDrop loses the answer to a large request, once, and not that to a handshake.
func TestDrop(t *testing.T) {
	tg, p := start(t)
	client, server := pair(t, tg, p)
	p.Set(proxy.Behaviour{Drop: proxy.Drop{Count: 1, Above: 100, Hold: time.Millisecond}})
	send(t, client, "hello")
	expect(t, server, "hello")
	send(t, server, "welcome")
	expect(t, client, "welcome")
	large := string(bytes.Repeat([]byte("x"), 101))
	send(t, client, large)
	expect(t, server, large)
	send(t, server, "done")
	expectReset(t, client)
	if p.Dropped() != 1 {
		t.Errorf("dropped %d answers", p.Dropped())
	}
	client, server = pair(t, tg, p)
	send(t, client, large)
	expect(t, server, large)
	send(t, server, "done")
	expect(t, client, "done")
}

func TestDelay(t *testing.T) {
	tg, p := start(t)
	client, server := pair(t, tg, p)
	p.Set(proxy.Behaviour{Delay: time.Hour})
	send(t, client, "late")
	expectNothing(t, server)
	p.Set(proxy.Behaviour{Delay: time.Millisecond})
	expect(t, server, "late")
}

// TestDelayIsNoThrottle sends more than fits into what is on its way at once: delay is latency, not bandwidth.
func TestDelayIsNoThrottle(t *testing.T) {
	tg, p := start(t)
	client, server := pair(t, tg, p)
	p.Set(proxy.Behaviour{Delay: 20 * time.Millisecond})
	chunks := 200
	go func() {
		for range chunks {
			_, _ = client.Write(make([]byte, 1<<10)) // the reader says whether all came
		}
	}()
	_ = server.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(server, make([]byte, chunks<<10)); err != nil {
		t.Fatal(err)
	}
}

// TestRate lets through what the rate allows and no more than is on its way besides.
func TestRate(t *testing.T) {
	tg, p := start(t)
	client, server := pair(t, tg, p)
	p.Set(proxy.Behaviour{Rate: 1000})
	send(t, client, string(make([]byte, 400)))
	begin := time.Now()
	_ = server.SetReadDeadline(begin.Add(patience))
	if _, err := io.ReadFull(server, make([]byte, 400)); err != nil {
		t.Fatal(err)
	}
	// Eight writes of 50 bytes with 50 ms between them: never less, whatever the machine does.
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Errorf("400 bytes took %s at 1000 bytes a second", took)
	}
}

func TestSlice(t *testing.T) {
	tg, p := start(t)
	client, server := pair(t, tg, p)
	// One write each 10 ms, so that reads see them apart.
	p.Set(proxy.Behaviour{Slice: 3, Rate: 300})
	send(t, client, "0123456789")
	_ = server.SetReadDeadline(time.Now().Add(patience))
	var got []byte
	reads := 0
	for buffer := make([]byte, 16); len(got) < 10; reads++ {
		n, err := server.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buffer[:n]...)
	}
	if string(got) != "0123456789" || reads < 2 {
		t.Errorf("%q came in %d reads", got, reads)
	}
}

func TestHalfOpen(t *testing.T) {
	tg, p := start(t)
	client, server := pair(t, tg, p)
	p.Set(proxy.Behaviour{HalfOpen: true})
	expectReset(t, server)
	fresh := dial(t, p)
	for _, c := range []net.Conn{client, fresh} {
		for range 3 {
			send(t, c, "into the void")
		}
		expectNothing(t, c)
	}
	p.Heal()
	expectReset(t, client)
	expectReset(t, fresh)
	client, server = pair(t, tg, p)
	send(t, client, "again")
	expect(t, server, "again")
}

func TestTargetIsAway(t *testing.T) {
	tg, p := start(t)
	_ = tg.listener.Close()
	expectRefusal(t, p)
}

// TestCloseLeavesNothing closes with connections in every state; TestMain looks for goroutines.
func TestCloseLeavesNothing(t *testing.T) {
	for _, b := range []proxy.Behaviour{
		{}, {Pause: true}, {HalfOpen: true}, {Delay: time.Hour}, {Rate: 1}, {Drop: proxy.Drop{Count: 9, Hold: time.Hour}},
	} {
		tg, p := start(t)
		client, server := pair(t, tg, p)
		p.Set(b)
		_, _ = client.Write(make([]byte, 1<<20>>1))
		_, _ = server.Write(make([]byte, 100))
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if p.Open() != 0 {
			t.Errorf("%+v: %d connections are left", b, p.Open())
		}
		if _, err := net.Dial("tcp", p.Addr()); err == nil {
			t.Errorf("%+v: somebody still listens", b)
		}
		if err := p.Close(); err != nil {
			t.Errorf("closed again: %v", err)
		}
	}
}

// TestMemoryIsBounded sends to a target that does not read: the sender is held back.
func TestMemoryIsBounded(t *testing.T) {
	tg, p := start(t)
	client, _ := pair(t, tg, p)
	p.Set(proxy.Behaviour{Pause: true})
	_ = client.SetWriteDeadline(time.Now().Add(time.Second))
	n, err := client.Write(make([]byte, 64<<20))
	var netErr net.Error
	if !errors.As(err, &netErr) || !netErr.Timeout() || n > 32<<20 {
		t.Errorf("%d bytes went into a paused link, error %v", n, err)
	}
}
