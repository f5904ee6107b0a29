package load_test

import (
	"testing"

	"github.com/weirmesh/weir/lab/load"
	"github.com/weirmesh/weir/lab/load/schedule"
	"github.com/weirmesh/weir/lab/service"
)

// TestAgreesWithServices compares what the two sides say to each other.
func TestAgreesWithServices(t *testing.T) {
	for mine, theirs := range map[string]string{
		load.HeaderPassword: service.HeaderPassword, load.HeaderAnswered: service.HeaderAnswered,
		schedule.RightPassword: service.RightPassword,
	} {
		if mine != theirs {
			t.Errorf("%q here, %q in services", mine, theirs)
		}
	}
}
