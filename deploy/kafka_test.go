package deploy_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/config"
)

// TestRightsAreThoseOfTheTable holds the scripts to the table that the stages check at their start.
func TestRightsAreThoseOfTheTable(t *testing.T) {
	roles := kafka.Roles(config.Default().Kafka.Group)
	for _, r := range roles {
		text, err := os.ReadFile(filepath.Join("kafka", "acls", r.Name+".sh"))
		if err != nil || string(text) != r.Script("User:weir-"+r.Name) {
			t.Errorf("%s is not what `weir topics acls %s` prints: write it anew, error %v", r.Name, r.Name, err)
		}
	}
	if files, err := filepath.Glob("kafka/acls/*"); err != nil || len(files) != len(roles) {
		t.Errorf("%d files for %d roles, error %v", len(files), len(roles), err)
	}
}
