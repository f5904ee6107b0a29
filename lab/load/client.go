package load

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/weirmesh/weir/lab/ledger"
	"github.com/weirmesh/weir/lab/load/schedule"
)

// Headers of the lab.
const (
	HeaderClient   = "x-lab-client"   // who asks
	HeaderPassword = "x-lab-password" // what an endpoint that ends in /login wants to know
	HeaderAnswered = "x-lab-answered" // of an answer: the instance that gave it; without it, a proxy answered in its place
)

// client speaks HTTP/1.1 over connections that it keeps. The one of net/http would send a request a second time when a kept connection
// breaks, and say nothing: here an attempt is exactly one request.
type client struct {
	target, host string

	mu   sync.Mutex // guards idle
	idle []*kept    // the last used is at the end
}

// kept is a connection.
type kept struct {
	net.Conn
	in    *bufio.Reader
	out   *bufio.Writer
	since time.Time // when it became idle
}

const (
	maxIdle = 512              // connections that are kept
	maxRest = 60 * time.Second // how long: less than proxies and servers do
)

func newClient(target netip.AddrPort, host string) *client {
	return &client{target: target.String(), host: host}
}

// ask sends a request and reads its answer to the last byte, until a deadline. It returns the outcome as ledgers name it.
func (c *client) ask(r schedule.Request, deadline time.Time) string {
	conn, err := c.connect(deadline)
	if err != nil {
		return failure(err)
	}
	answer, err := conn.exchange(r, c.host)
	if err != nil {
		_ = conn.Close() // it is broken already
		return failure(err)
	}
	if answer.Close {
		_ = conn.Close() // the answer is complete
	} else {
		c.keep(conn)
	}
	return outcome(answer)
}

// connect returns a connection that nothing is under way on.
func (c *client) connect(deadline time.Time) (*kept, error) {
	for {
		k := c.take()
		if k == nil {
			break
		}
		if err := k.SetDeadline(deadline); err == nil && open(k.Conn) {
			return k, nil
		}
		_ = k.Close() // the other side has closed it
	}
	conn, err := (&net.Dialer{Deadline: deadline}).Dial("tcp", c.target)
	if err != nil {
		return nil, err
	}
	return &kept{Conn: conn, in: bufio.NewReader(conn), out: bufio.NewWriterSize(conn, 1<<10)}, conn.SetDeadline(deadline)
}

func (c *client) take() *kept {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.idle) - 1
	if last < 0 {
		return nil
	}
	k := c.idle[last]
	c.idle = c.idle[:last]
	return k
}

func (c *client) keep(k *kept) {
	k.since = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, k)
	if oldest := c.idle[0]; len(c.idle) > maxIdle || k.since.Sub(oldest.since) > maxRest {
		_ = oldest.Close() // nothing is under way on it
		c.idle = c.idle[1:]
	}
}

// close closes what is idle.
func (c *client) close() {
	for k := c.take(); k != nil; k = c.take() {
		_ = k.Close() // nothing is under way on it
	}
}

// exchange writes a request and reads the whole answer.
func (k *kept) exchange(r schedule.Request, host string) (*http.Response, error) {
	fmt.Fprintf(k.out, "%s %s HTTP/1.1\r\nhost: %s\r\nuser-agent: weir-lab\r\nx-forwarded-for: %s\r\n%s: %s\r\n",
		r.Method, r.Path, host, r.Client.Address(), HeaderClient, r.Client.Name())
	if r.Password != "" {
		fmt.Fprintf(k.out, "%s: %s\r\n", HeaderPassword, r.Password)
	}
	if r.Body != "" {
		fmt.Fprintf(k.out, "content-type: application/json\r\ncontent-length: %d\r\n", len(r.Body))
	}
	fmt.Fprintf(k.out, "\r\n%s", r.Body)
	if err := k.out.Flush(); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(k.in, &http.Request{Method: r.Method})
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer, errors.Join(err, answer.Body.Close())
}

// outcome is what an answer means, as services see those of each other: without the instance's mark a proxy gave it.
func outcome(answer *http.Response) string {
	marked := answer.Header.Get(HeaderAnswered) != ""
	switch status := answer.StatusCode; {
	case status < http.StatusBadRequest:
		return ledger.OK
	case status < http.StatusInternalServerError:
		return ledger.ClientError
	case !marked && status == http.StatusGatewayTimeout:
		return ledger.Timeout
	case !marked:
		return ledger.Transport
	case status == http.StatusServiceUnavailable:
		return ledger.Refused
	}
	return ledger.ServerError
}

// failure is what no answer means.
func failure(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ledger.Timeout
	}
	return ledger.Transport
}
