package apache_test

import (
	"strings"
	"testing"
	"time"

	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/torture/apache/apachetest"
)

// TestRefusalsAreSaidInWords is the table of what a person reads when Apache Kafka does not let Weir in.
func TestRefusalsAreSaidInWords(t *testing.T) {
	c := apachetest.Start(t, "weir-collector")
	other := apachetest.NewAuthority(t)
	soon := time.Now().Add(time.Hour)
	set := func(base kafka.Security, change func(*kafka.Security)) kafka.Security {
		change(&base)
		return base
	}
	show := func(p apachetest.Pair) kafka.Security {
		return kafka.Security{TLS: true, CAFile: c.Authority.File, CertFile: p.CertFile, KeyFile: p.KeyFile}
	}
	good := c.User(t, "weir-collector")
	wrong := apachetest.WriteFile(t, "wrong\n")
	mutual := show(c.Authority.Sign(t, "weir-collector", "client", soon))
	tlsOnly := kafka.Security{TLS: true, CAFile: c.Authority.File}
	t.Run("no user where one is wanted", func(t *testing.T) {
		err := apachetest.Client(t, c.Users, tlsOnly).Check(t.Context())
		if !kafka.IsRefused(err) || !strings.Contains(err.Error(), "wants to know who asks: set kafka.user") || !strings.Contains(err.Error(), "scram-sha-512") {
			t.Errorf("says %v", err)
		}
	})
	for _, tt := range []struct {
		name, address string
		security      kafka.Security
		says          string // "" = it gets in
		refused       bool   // else it may pass, as when a broker restarts
	}{
		{"scram-sha-512", c.Users, good, "", false},
		{"scram-sha-256", c.Users, set(good, func(s *kafka.Security) { s.Mechanism = kafka.ScramSHA256 }), "", false},
		{"plain", c.Users, set(good, func(s *kafka.Security) { s.Mechanism = kafka.Plain }), "", false},
		{"client certificate", c.Mutual, mutual, "", false},
		{"wrong password", c.Users, set(good, func(s *kafka.Security) { s.PasswordFile = wrong }), "refuses the user weir-collector: wrong user or password", true},
		{"wrong plain password", c.Users, set(good, func(s *kafka.Security) { s.Mechanism, s.PasswordFile = kafka.Plain, wrong }), "wrong user or password", true},
		{"unknown user", c.Users, c.User(t, "nobody"), "refuses the user nobody: wrong user or password", true},
		{"mechanism not offered", c.PlainUsers, set(good, func(s *kafka.Security) { s.TLS, s.CAFile = false, "" }), "does not take SCRAM-SHA-512, but plain: set kafka.mechanism", true},
		{"user where none is wanted", c.Mutual, set(mutual, func(s *kafka.Security) {
			s.User, s.PasswordFile, s.Mechanism = "weir-collector", wrong, kafka.ScramSHA512
		}), "takes no user on this port", true},
		{"wrong authority", c.Users, set(good, func(s *kafka.Security) { s.CAFile = other.File }), "signed by an authority that is not trusted", true},
		{"no authority", c.Users, set(good, func(s *kafka.Security) { s.CAFile = "" }), "name the authority's file in kafka.ca_file", true},
		{"expired server certificate", c.Expired, tlsOnly, "has expired or is not valid yet", true},
		{"wrong host name", c.Elsewhere, tlsOnly, "is for another host", true},
		{"no client certificate", c.Mutual, tlsOnly, "wants a client certificate", true},
		{"expired client certificate", c.Mutual, show(c.Authority.Sign(t, "weir-collector", "client", time.Now().Add(-time.Minute))), "refuses the client certificate", true},
		{"client certificate of somebody else", c.Mutual, show(other.Sign(t, "weir-collector", "client", soon)), "refuses the client certificate", true},
		{"plain client on a TLS port", c.Users, kafka.Security{}, "speaks TLS on this port: set kafka.tls", true},
		{"user without TLS on a TLS port", c.Users, set(good, func(s *kafka.Security) { s.TLS, s.CAFile = false, "" }), "speaks TLS on this port: set kafka.tls", true},
		{"TLS client on a plain port", c.Open, tlsOnly, "does not speak TLS on this port: use its TLS port, or set kafka.tls to false", true},
		{"user on a port without users", c.Open, set(good, func(s *kafka.Security) { s.TLS, s.CAFile = false, "" }), "takes no user on this port", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client := apachetest.Client(t, tt.address, tt.security)
			_, request := client.ClusterID(t.Context())
			for what, err := range map[string]error{"check": client.Check(t.Context()), "request": request} {
				switch {
				case tt.says == "":
					if err != nil {
						t.Errorf("%s: %v", what, err)
					}
				case err == nil || !strings.Contains(err.Error(), tt.says):
					t.Errorf("%s says %v, want %q in it", what, err, tt.says)
				case kafka.IsRefused(err) != tt.refused:
					t.Errorf("%s: refused is %t: %v", what, !tt.refused, err)
				}
			}
		})
	}
}
