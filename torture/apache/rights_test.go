package apache_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/torture/apache/apachetest"
)

const featuresGroup = "weir-features"

// TestEveryRightIsNeededAndNamed gives each role what deploy/kafka/acls gives, and then takes away one right after the other: the check at a
// stage's start is content with all, and names each that is missing.
func TestEveryRightIsNeededAndNamed(t *testing.T) {
	var users []string
	for _, role := range kafka.Roles(featuresGroup) {
		users = append(users, "weir-"+role.Name)
	}
	c := apachetest.Start(t, users...)
	admin := apachetest.Client(t, c.Users, c.User(t, apachetest.Admin))
	var topics []kafka.Topic
	reader, err := kafka.RoleOf(featuresGroup, "reader")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range reader.Topics() {
		topics = append(topics, kafka.Topic{Name: name, Partitions: 2, Replication: 1})
	}
	eventually(t, "make topics", func(ctx context.Context) error { return admin.EnsureTopics(ctx, true, topics...) })
	for _, role := range kafka.Roles(featuresGroup) {
		script, err := os.ReadFile(filepath.Join("..", "..", "deploy", "kafka", "acls", role.Name+".sh"))
		if err != nil {
			t.Fatal(err)
		}
		c.Script(t, string(script))
		t.Run(role.Name, func(t *testing.T) { everyRight(t, c, role) })
	}
}

func everyRight(t *testing.T, c *apachetest.Cluster, role kafka.Role) {
	principal := "User:weir-" + role.Name
	client := apachetest.Client(t, c.Users, c.User(t, "weir-"+role.Name))
	content := func(ctx context.Context) error { return client.Check(ctx, role.Rights...) }
	eventually(t, "all rights", content)
	for _, right := range role.Rights {
		c.Revoke(t, principal, right)
		var says error
		eventually(t, "the revoked right", func(ctx context.Context) error {
			if says = client.Check(ctx, role.Rights...); says == nil {
				return errors.New("the check is content")
			}
			return nil
		})
		for _, o := range right.Operations {
			if want := fmt.Sprintf("%s on %s %s", o, right.Kind, right.Name); !kafka.IsRefused(says) || !strings.Contains(says.Error(), want) {
				t.Errorf("the check says %v, want %q in it", says, want)
			}
		}
		c.Allow(t, principal, right)
		eventually(t, "all rights", content)
		see := kafka.Right{Kind: right.Kind, Name: right.Name, Operations: []string{kafka.Describe}}
		c.Deny(t, principal, see)
		eventually(t, "the denied right to see", func(ctx context.Context) error {
			if says = client.Check(ctx, role.Rights...); says == nil {
				return errors.New("the check is content")
			}
			return nil
		})
		if want := fmt.Sprintf("on %s %s", right.Kind, right.Name); !kafka.IsRefused(says) || !strings.Contains(says.Error(), want) {
			t.Errorf("without Describe the check says %v, want %q in it", says, want)
		}
		c.Revoke(t, principal, see)
		c.Allow(t, principal, right)
		eventually(t, "all rights", content)
	}
}
