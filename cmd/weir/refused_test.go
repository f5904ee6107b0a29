package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// TestARefusalEndsTheStart: what --wait cannot mend ends the start at once, with words that say what to do. The password is in none.
func TestARefusalEndsTheStart(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.User("SCRAM-SHA-512", "weir-collector", "right"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	password := filepath.Join(t.TempDir(), "password")
	t.Setenv("WEIR_KAFKA_USER", "weir-collector")
	t.Setenv("WEIR_KAFKA_PASSWORD_FILE", password)
	for text, says := range map[string]string{
		"wrong": "refuses the user weir-collector: wrong user or password",
		"right": "the Kafka user weir-collector lacks rights: Write on topic weir.calls",
	} {
		if err := os.WriteFile(password, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, stderr := runWeir(t, 1, "collector", "--kafka", cluster.ListenAddrs()[0], "--wait", "2m", "--log-level", "debug")
		if !strings.Contains(stderr, says) || strings.Contains(stderr, "gave up after") {
			t.Errorf("says %q, want %q in it", stderr, says)
		}
	}
	t.Setenv("WEIR_KAFKA_MECHANISM", "plain")
	if _, stderr := runWeir(t, 4, "collector", "--kafka", "192.0.2.1:9092"); !strings.Contains(stderr, "in plain text: set kafka.tls") {
		t.Errorf("says %q", stderr)
	}
}
