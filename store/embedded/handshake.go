package embedded

import (
	"context"
	"net/url"
	"strconv"
	"strings"
)

// helloQuery is the first thing clickhouse-go asks.
const helloQuery = "SELECT displayName(), version(), revision(), timezone()"

// framedRevision is the protocol revision from which a Native block begins with block information and columns
// carry a serialization flag.
const framedRevision = 54454

// hello is what the engine says about itself.
type hello struct{ name, version, timezone string }

func readHello(ctx context.Context, s *Session) (hello, error) {
	res, err := s.Query(ctx, "SELECT version(), timezone()", "TabSeparated", nil)
	if err != nil {
		return hello{}, err
	}
	version, timezone, _ := strings.Cut(strings.TrimSpace(string(res.Body)), "\t")
	return hello{name: "weir", version: version, timezone: timezone}, nil
}

// wantsHello reports whether sql is the handshake of a client that expects a newer Native framing than the
// library writes.
func wantsHello(query url.Values, sql string) bool {
	revision, err := strconv.Atoi(query.Get("client_protocol_version"))
	return err == nil && revision >= framedRevision && query.Get("default_format") == "Native" &&
		strings.TrimRight(sql, "; \t\r\n") == helloQuery
}

// block is the answer to the handshake in the newer framing. Its revision is 0: from then on the client reads
// the plain framing, which is the one the library writes.
func (h hello) block() []byte {
	// Block information: field 1 (is_overflows) 0, field 2 (bucket_num) -1, end. Then 4 columns, 1 row.
	b := []byte{1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 4, 1}
	column := func(name, kind string, value []byte) {
		b = appendText(b, name)
		b = appendText(b, kind)
		b = append(b, 0) // no custom serialization
		b = append(b, value...)
	}
	column("displayName()", "String", appendText(nil, h.name))
	column("version()", "String", appendText(nil, h.version))
	column("revision()", "UInt32", make([]byte, 4))
	column("timezone()", "String", appendText(nil, h.timezone))
	return b
}

// appendText appends a string with its length in one byte; none here comes near 128 bytes.
func appendText(b []byte, s string) []byte {
	if len(s) > 127 {
		s = s[:127]
	}
	return append(append(b, byte(len(s))), s...)
}
