package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/weirmesh/weir/internal/config"
	"github.com/weirmesh/weir/internal/doctor"
	"github.com/weirmesh/weir/internal/lock"
	"github.com/weirmesh/weir/internal/pause"
	"github.com/weirmesh/weir/internal/signing"
)

// examiner collects what the doctor judges. What cannot be learnt is a fact too; only being interrupted is an error.
type examiner struct {
	*app
	now func() time.Time
	say func(string) // progress

	brokers    []string
	clickhouse string // empty, as the two below: not known
	otlp, ops  string
}

// dialTimeout bounds the wait for one address.
const dialTimeout = 5 * time.Second

func (g *examiner) gather(ctx context.Context, o doctorOptions) (doctor.Facts, error) {
	if err := g.find(o); err != nil {
		return doctor.Facts{}, err
	}
	f := doctor.Facts{Now: g.now(), Settings: g.settings(), Keys: g.keys(), Host: g.host()}
	g.say("trying addresses")
	f.Endpoints = g.endpoints(ctx)
	g.say("asking ClickHouse")
	f.Store, f.Telemetry = g.store(ctx)
	g.say("asking Kafka")
	f.Kafka = g.kafka(ctx, f.Telemetry)
	if f.Kafka != nil && f.Store != nil && f.Kafka.Err == "" && f.Store.Err == "" && f.Store.Schema > 0 {
		g.say("looking how data passes")
		f.Flow = g.flow(ctx)
	}
	if o.probe {
		if f.Probe = g.past(f); f.Probe == nil || o.force {
			g.say("sending a trace and following it")
			f.Probe = g.probe(ctx, o.within)
		}
	}
	return f, ctx.Err()
}

// find is where the parts are: as configured, or as the running Weir says.
func (g *examiner) find(o doctorOptions) error {
	at, live, err := lock.ReadAddresses(g.cfg.DataDir)
	if err != nil {
		return err
	}
	if !live {
		at = lock.Addresses{}
	}
	g.brokers, g.clickhouse, g.otlp, g.ops = g.cfg.Kafka.Addresses, g.cfg.ClickHouse.Address, o.otlp, at.Ops
	if len(g.brokers) == 0 && at.Kafka != "" {
		g.brokers = []string{at.Kafka}
	}
	if g.clickhouse == "" {
		g.clickhouse = at.ClickHouse
	}
	if g.otlp == "" {
		g.otlp = at.OTLPGRPC
	}
	return nil
}

func (g *examiner) settings() doctor.Settings {
	s := doctor.Settings{
		KafkaRetention: g.cfg.Kafka.Retention, StoreRetention: g.cfg.ClickHouse.Retention, PlainText: g.plainText(),
	}
	if g.cfg.ClickHouse.Address == "" { // the engine is embedded
		s.MemoryMiB = g.cfg.ClickHouse.MemoryMiB + g.cfg.Collector.MemoryLimitMiB
	}
	return s
}

// plainText names the listeners of this configuration that others reach without TLS.
func (g *examiner) plainText() (keys []string) {
	if g.server != nil {
		return nil
	}
	listen := map[string]string{"collector.grpc": g.cfg.Collector.GRPC, "collector.http": g.cfg.Collector.HTTP, "ops.listen": g.cfg.Ops.Listen}
	if len(g.cfg.Kafka.Addresses) == 0 {
		listen["broker.listen"] = g.cfg.Broker.Listen
	}
	if g.cfg.ClickHouse.Address == "" {
		listen["clickhouse.listen"] = g.cfg.ClickHouse.Listen
	}
	for _, key := range slices.Sorted(maps.Keys(listen)) {
		if listen[key] != "" && config.CheckListen(listen[key], false, false) != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// keys looks at key files without making any.
func (g *examiner) keys() []doctor.Key {
	sign := doctor.Key{Role: "signing", Path: g.cfg.Events.SigningKey, Found: true}
	if sign.Path == "" {
		sign.Path = filepath.Join(g.cfg.DataDir, "keys", signing.PrivateFile)
	}
	_, err := signing.LoadPrivate(sign.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && g.cfg.Events.SigningKey == "":
		sign.Found = false
	case err != nil:
		sign.Err = err.Error()
	}
	files := g.cfg.Events.TrustedKeys
	if len(files) == 0 {
		return []doctor.Key{sign}
	}
	trusted := doctor.Key{Role: "trusted", Path: strings.Join(files, ", "), Found: true}
	if _, err := signing.LoadTrusted(files...); err != nil {
		trusted.Err = err.Error()
	}
	return []doctor.Key{sign, trusted}
}

func (g *examiner) host() doctor.Host {
	h := doctor.Host{DataDir: g.cfg.DataDir, MemoryLimit: memoryLimit()}
	h.DiskFree, h.DiskTotal = diskOf(g.cfg.DataDir)
	var files syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil {
		h.OpenFiles = files.Cur
	}
	return h
}

// diskOf is the room on the file system of a folder, in bytes; zeros where it cannot be seen.
func diskOf(dir string) (free, total uint64) {
	var fs syscall.Statfs_t
	for err := syscall.Statfs(dir, &fs); err != nil; err = syscall.Statfs(dir, &fs) {
		if parent := filepath.Dir(dir); errors.Is(err, syscall.ENOENT) && parent != dir { // it is made when a stage starts
			dir = parent
			continue
		}
		return 0, 0
	}
	return fs.Bavail * uint64(fs.Bsize), fs.Blocks * uint64(fs.Bsize)
}

// memoryLimit is the limit of the control group that this process is in, in bytes; 0 = none, or not known here.
func memoryLimit() uint64 {
	text, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil { // "max"
		return 0
	}
	return n
}

// endpoints tries every address once.
func (g *examiner) endpoints(ctx context.Context) (all []doctor.Endpoint) {
	try := func(name, address string, secure bool) {
		if address != "" {
			all = append(all, g.endpoint(ctx, doctor.Endpoint{Name: name, Address: address, TLS: secure}))
		}
	}
	try("collector", g.otlp, g.server != nil)
	for _, b := range g.brokers {
		try("kafka", b, g.kafkaTLS())
	}
	try("clickhouse", g.clickhouse, g.cfg.ClickHouse.TLS)
	try("ops", g.ops, g.server != nil)
	return all
}

func (g *examiner) endpoint(ctx context.Context, e doctor.Endpoint) doctor.Endpoint {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	host, _, err := net.SplitHostPort(e.Address)
	if err != nil {
		e.ResolveErr = err.Error()
		return e
	}
	if _, err := net.DefaultResolver.LookupHost(ctx, host); err != nil {
		e.ResolveErr = err.Error()
		return e
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", e.Address)
	if err != nil {
		e.DialErr = err.Error()
		return e
	}
	defer func() { _ = conn.Close() }() // nothing was sent
	if e.TLS {
		e.Expires, err = g.certificate(ctx, conn, host)
		if err != nil {
			e.TLSErr = err.Error()
		}
	}
	return e
}

// certificate shakes hands and checks the certificate apart from its dates, which are for the doctor to judge.
func (g *examiner) certificate(ctx context.Context, conn net.Conn, host string) (expires time.Time, err error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if g.client != nil {
		cfg = g.client.Clone()
	}
	cfg.ServerName, cfg.InsecureSkipVerify = host, true // it is verified below, so that an expired one can still be read
	t := tls.Client(conn, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return expires, err
	}
	chain := t.ConnectionState().PeerCertificates
	if len(chain) == 0 {
		return expires, errors.New("it shows no certificate")
	}
	options := x509.VerifyOptions{DNSName: host, Roots: cfg.RootCAs, Intermediates: x509.NewCertPool(), CurrentTime: g.now()}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	if leaf := chain[0]; g.now().After(leaf.NotAfter) {
		options.CurrentTime = leaf.NotAfter
	}
	_, err = chain[0].Verify(options)
	return chain[0].NotAfter, err
}

// lagWatch is how long a lag is watched for movement: a flush is about a second.
const lagWatch = 3 * time.Second

// flow asks what `weir status` shows. A hop that cannot be asked has failed its own checks already.
func (g *examiner) flow(ctx context.Context) *doctor.Flow {
	s, err := g.status(ctx, g.now())
	if err != nil {
		return nil
	}
	f := &doctor.Flow{Behind: s.behindHops(), Lag: s.Features.Lag, LastData: s.Ingest.LastData, Watermark: s.Features.Watermark}
	for _, hop := range s.quietHops(true, true) {
		f.Silent = append(f.Silent, hop.name)
	}
	if f.Lag == 0 || pause.For(ctx, lagWatch) != nil {
		return f
	}
	if again, err := g.status(ctx, g.now()); err == nil {
		f.LagMoved = slices.ContainsFunc(again.Sources, func(p sourceStatus) bool {
			return slices.ContainsFunc(s.Sources, func(q sourceStatus) bool { return p.Source == q.Source && p.Durable > q.Durable })
		})
	}
	return f
}
