package apache

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Mechanisms of Security.SASL, as Kafka writes them.
const (
	Plain       = "PLAIN"
	ScramSHA256 = "SCRAM-SHA-256"
	ScramSHA512 = "SCRAM-SHA-512"
)

// Security says how the clients of a listener are met. The zero value is plain text, and nobody is asked who they are.
type Security struct {
	KeyStore   string   // PEM file with the node's private key (PKCS #8) and certificate; "" = no TLS
	TrustStore string   // PEM file with the authorities of the clients' certificates; "" = certificates are not asked for
	SASL       []string // mechanisms, one of which clients must use; nil = none
}

func (s Security) protocol() string {
	switch {
	case s.KeyStore != "" && s.SASL != nil:
		return "SASL_SSL"
	case s.KeyStore != "":
		return "SSL"
	case s.SASL != nil:
		return "SASL_PLAINTEXT"
	}
	return "PLAINTEXT"
}

// secure writes what a node must know about certificates, users and rights.
func (c Config) secure(n Node, set func(key string, value any)) {
	for _, l := range n.Listeners {
		prefix := "listener.name." + strings.ToLower(l.Name) + "."
		if l.Security.KeyStore != "" {
			set(prefix+"ssl.keystore.type", "PEM")
			set(prefix+"ssl.keystore.location", l.Security.KeyStore)
		}
		if l.Security.TrustStore != "" {
			set(prefix+"ssl.truststore.type", "PEM")
			set(prefix+"ssl.truststore.location", l.Security.TrustStore)
			set(prefix+"ssl.client.auth", "required")
		}
		if l.Security.SASL != nil {
			set(prefix+"sasl.enabled.mechanisms", strings.Join(l.Security.SASL, ","))
		}
		for _, mechanism := range l.Security.SASL {
			set(prefix+strings.ToLower(mechanism)+".sasl.jaas.config", c.login(mechanism))
		}
	}
	if c.Supers != nil {
		set("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
		set("super.users", strings.Join(append(slices.Clone(c.Supers), "User:ANONYMOUS"), ";"))
	}
}

// login is Kafka's module for a mechanism. PLAIN keeps its users in the configuration, SCRAM in the cluster's metadata.
func (c Config) login(mechanism string) string {
	if mechanism != Plain {
		return "org.apache.kafka.common.security.scram.ScramLoginModule required;"
	}
	var b strings.Builder
	b.WriteString("org.apache.kafka.common.security.plain.PlainLoginModule required")
	for _, user := range slices.Sorted(maps.Keys(c.Users)) {
		fmt.Fprintf(&b, " user_%s=%q", user, c.Users[user])
	}
	return b.String() + ";"
}

// scram are the arguments of the formatting tool that make the users.
func (c Config) scram() (args []string) {
	for _, user := range slices.Sorted(maps.Keys(c.Users)) {
		for _, mechanism := range []string{ScramSHA256, ScramSHA512} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, user, c.Users[user]))
		}
	}
	return args
}
