package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// ServerConfig bounds what clients may do.
type ServerConfig struct {
	Scratch  string   // folder for bodies and spooled answers; the server's alone, emptied by NewServer
	Database string   // current database where a request names none and it exists
	Hosts    []string // Host headers accepted besides loopback ones
	ReadOnly bool     // refuse everything but queries

	Readers, Writers int   // statements at the same time
	MaxWaiting       int   // requests waiting for their turn; more are refused
	MaxBody          int64 // bytes of one body, compressed or not

	// For queries; 0 is no limit. A client may ask for less, not for more.
	MaxReadTime   time.Duration
	MaxReadMemory int64

	AllowFiles bool // allow file(), url() and their like, with the rights of this process
}

// DefaultServerConfig returns limits for a small machine.
func DefaultServerConfig() ServerConfig {
	return ServerConfig{
		Database: "weir", Readers: 4, Writers: 2, MaxWaiting: 128, MaxBody: 1 << 30,
		MaxReadTime: time.Minute, MaxReadMemory: 1 << 30,
	}
}

// Named errors of Validate.
var (
	ErrNoScratch = errors.New("scratch folder is not set")
	ErrBadLimit  = errors.New("limit out of range")
)

// Validate tells what is wrong with the configuration.
func (c ServerConfig) Validate() error {
	if c.Scratch == "" {
		return ErrNoScratch
	}
	if c.Readers < 1 || c.Writers < 1 || c.MaxWaiting < 0 || c.MaxBody < 1 || c.MaxReadTime < 0 || c.MaxReadMemory < 0 {
		return fmt.Errorf("%w: readers %d, writers %d, waiting %d, body %d, time %v, memory %d", ErrBadLimit,
			c.Readers, c.Writers, c.MaxWaiting, c.MaxBody, c.MaxReadTime, c.MaxReadMemory)
	}
	return nil
}

// Server is ClickHouse's HTTP interface in front of an Engine. It answers /, /ping, /healthz and /readyz.
type Server struct {
	engine *Engine
	cfg    ServerConfig
	log    *slog.Logger
	hello  hello

	readers, writers, uploads *slots
}

var _ http.Handler = (*Server)(nil)

// NewServer makes the scratch folder, removes what a predecessor left in it, and asks the engine for its name.
// The caller keeps the engine and closes it after the last request.
func NewServer(ctx context.Context, engine *Engine, cfg ServerConfig, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("new server: %w", err)
	}
	scratch, err := filepath.Abs(cfg.Scratch)
	if err != nil {
		return nil, fmt.Errorf("new server: %w", err)
	}
	cfg.Scratch = scratch
	if err := errors.Join(os.RemoveAll(scratch), os.MkdirAll(scratch, 0o700)); err != nil {
		return nil, fmt.Errorf("empty scratch folder: %w", err)
	}
	s := &Server{
		engine: engine, cfg: cfg, log: log,
		readers: newSlots(cfg.Readers, cfg.MaxWaiting),
		writers: newSlots(cfg.Writers, cfg.MaxWaiting),
		uploads: newSlots(cfg.Writers+cfg.MaxWaiting, 0),
	}
	session, err := engine.Session()
	if err != nil {
		return nil, fmt.Errorf("new server: %w", err)
	}
	defer session.Close()
	if s.hello, err = readHello(ctx, session); err != nil {
		return nil, fmt.Errorf("new server: %w", err)
	}
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if reason := foreign(r, s.cfg.Hosts); reason != "" {
		http.Error(w, reason, http.StatusForbidden)
		return
	}
	w.Header().Set("X-ClickHouse-Server-Display-Name", s.hello.name)
	w.Header().Set("X-ClickHouse-Timezone", s.hello.timezone)
	switch {
	case r.URL.Path == "/ping", r.URL.Path == "/healthz", r.URL.Path == "/readyz",
		r.URL.Path == "/" && r.Method != http.MethodPost && r.URL.Query().Get("query") == "":
		_, _ = io.WriteString(w, "Ok.\n")
	case r.URL.Path != "/":
		http.NotFound(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		http.Error(w, "only GET and POST are known", http.StatusMethodNotAllowed)
	default:
		s.serve(w, r)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	req, err := readRequest(w, r, s.cfg.MaxBody)
	if err != nil {
		newAnswer(w, &request{}).fail(err)
		return
	}
	defer req.done()
	a := newAnswer(w, req)
	if err = s.answer(r, req, a); err == nil {
		return
	}
	s.log.Debug("statement failed", "error", err)
	if a.fail(err) {
		// net/http's own way to break off an answer; it is neither logged nor does it go further.
		panic(http.ErrAbortHandler)
	}
}

// answer finds out what the request is and has it done.
func (s *Server) answer(r *http.Request, req *request, a *answer) error {
	head, err := req.head()
	if err != nil {
		return err
	}
	ins, ok, err := splitInsert(string(head), s.cfg.AllowFiles)
	if err != nil {
		return err
	}
	if ok {
		return s.insert(r.Context(), req, ins, head[ins.data:], a)
	}
	sql, err := req.rest(head)
	if err != nil {
		return err
	}
	if wantsHello(r.URL.Query(), sql) {
		a.format("Native")
		_, _ = a.Write(s.hello.block()) // far below the buffer's size
		return a.finish(Stats{})
	}
	st, err := splitStatement(sql, s.cfg.AllowFiles)
	if err != nil {
		return err
	}
	if st.reader {
		return s.read(r.Context(), req, st, a)
	}
	return s.write(r.Context(), req, st, a)
}

// read runs a query. Whatever settings the query carries, it ends with the time limit.
func (s *Server) read(ctx context.Context, req *request, st statement, a *answer) error {
	release, err := s.readers.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	if limit := s.cfg.MaxReadTime; limit > 0 {
		const grace = 2 * time.Second // the engine's own limit comes first and has the better words
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit+grace)
		defer cancel()
		// A client that does not read would hold the slot for good. Not every ResponseWriter knows deadlines.
		_ = http.NewResponseController(a.w).SetWriteDeadline(time.Now().Add(limit + 2*grace))
	}
	session, err := s.session(req, readerSettings(s.cfg, req.settings))
	if err != nil {
		return err
	}
	defer session.Close()
	if st.format == "" {
		st.format = req.format
	}
	a.format(st.format)
	if !st.rows {
		return runWhole(ctx, session, st.sql, req, a)
	}
	out, finish, err := s.output(req, a)
	if err != nil {
		return err
	}
	stats, err := session.Stream(ctx, st.head, "FORMAT "+st.format+st.tail, req.params, out)
	if err := finish(err); err != nil {
		var engine *Error
		if errors.As(err, &engine) && engine.Code == codeSyntax && a.empty() {
			// The words of the error are about what was asked, not about our version of it.
			return runWhole(ctx, session, st.sql, req, a)
		}
		return err
	}
	return a.finish(stats)
}

// write runs a statement that changes something; its answer, if any, is small.
func (s *Server) write(ctx context.Context, req *request, st statement, a *answer) error {
	if err := s.mayWrite(req); err != nil {
		return err
	}
	release, err := s.writers.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	session, err := s.session(req, append([]Setting{{"async_insert", "0"}}, req.settings...))
	if err != nil {
		return err
	}
	defer session.Close()
	a.format(req.format)
	return runWhole(ctx, session, st.sql, req, a)
}

func (s *Server) mayWrite(req *request) error {
	if s.cfg.ReadOnly || req.readOnly {
		return refuse(codeReadOnly, "READONLY", "default: Cannot execute query in readonly mode")
	}
	return nil
}

func runWhole(ctx context.Context, session *Session, sql string, req *request, a *answer) error {
	res, err := session.Query(ctx, sql, req.format, req.params)
	if err != nil {
		return err
	}
	if _, err := a.Write(res.Body); err != nil {
		return fmt.Errorf("send answer: %w", err)
	}
	return a.finish(res.Stats)
}

// session opens a session in the right database with the settings given.
func (s *Server) session(req *request, settings []Setting) (*Session, error) {
	session, err := s.engine.Session()
	if err != nil {
		return nil, err
	}
	if req.database != "" {
		err = session.Use(req.database)
	} else if s.cfg.Database != "" {
		err = session.Use(s.cfg.Database)
		var engine *Error
		if errors.As(err, &engine) && engine.Code == codeUnknownDatabase {
			err = nil // not made yet
		}
	}
	if err == nil {
		err = session.Set(settings)
	}
	if err != nil {
		session.Close()
		return nil, err
	}
	return session, nil
}

// output is where an answer goes: to the client, or into a scratch file first.
func (s *Server) output(req *request, a *answer) (out io.Writer, finish func(error) error, err error) {
	if !req.spool {
		return a, func(err error) error { return err }, nil
	}
	f, err := os.CreateTemp(s.cfg.Scratch, "answer-*")
	if err != nil {
		return nil, nil, fmt.Errorf("spool answer: %w", err)
	}
	return f, func(err error) error {
		defer func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }() // NewServer removes what is left
		if err == nil {
			_, err = f.Seek(0, io.SeekStart)
		}
		if err == nil {
			_, err = io.Copy(a, struct{ io.Reader }{f})
		}
		return err
	}, nil
}
