package apachetest

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirmesh/weir/ingest/kafka"
	"github.com/weirmesh/weir/internal/pause"
)

// ask sends a request as somebody who may do everything. The last argument only says of which kind the answer is.
func ask[R kmsg.Response](t testing.TB, c *Cluster, req kmsg.Request, _ R) R {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Open), kgo.RetryTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	resp, err := client.Request(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	answer, ok := resp.(R)
	if !ok {
		t.Fatalf("unexpected answer %T", resp)
	}
	return answer
}

// awaitReady waits until the node serves: it opens its listeners when it has all that it knows of users and rights.
func (c *Cluster) awaitReady(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.Open)
		if err == nil {
			_ = conn.Close() // it only shows that somebody listens
			return
		}
		select {
		case <-c.node.Done():
			t.Fatalf("Kafka ended: %v", c.node.Err())
		default:
		}
		if pause.For(ctx, 50*time.Millisecond) != nil {
			t.Fatalf("Kafka does not come: %v", err)
		}
	}
}

// operation is Kafka's code.
func operation(name string) kmsg.ACLOperation {
	op, err := kmsg.ParseACLOperation(name)
	if err != nil {
		return kmsg.ACLOperationUnknown
	}
	return op
}

func kind(right kafka.Right) kmsg.ACLResourceType {
	if right.Kind == kafka.KindGroup {
		return kmsg.ACLResourceTypeGroup
	}
	return kmsg.ACLResourceTypeTopic
}

// Allow gives a principal, for example User:weir-features, rights.
func (c *Cluster) Allow(t testing.TB, principal string, rights ...kafka.Right) {
	t.Helper()
	c.rule(t, kmsg.ACLPermissionTypeAllow, principal, rights)
}

// Deny forbids, whatever else allows.
func (c *Cluster) Deny(t testing.TB, principal string, rights ...kafka.Right) {
	t.Helper()
	c.rule(t, kmsg.ACLPermissionTypeDeny, principal, rights)
}

func (c *Cluster) rule(t testing.TB, permission kmsg.ACLPermissionType, principal string, rights []kafka.Right) {
	t.Helper()
	req := kmsg.NewPtrCreateACLsRequest()
	for _, right := range rights {
		for _, o := range right.Operations {
			one := kmsg.NewCreateACLsRequestCreation()
			one.ResourceType, one.ResourceName, one.ResourcePatternType = kind(right), right.Name, kmsg.ACLResourcePatternTypeLiteral
			one.Principal, one.Host, one.Operation, one.PermissionType = principal, "*", operation(o), permission
			req.Creations = append(req.Creations, one)
		}
	}
	for _, r := range ask(t, c, req, kmsg.NewPtrCreateACLsResponse()).Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			t.Fatal(err)
		}
	}
}

// Revoke takes every rule about one topic or group from a principal.
func (c *Cluster) Revoke(t testing.TB, principal string, rights ...kafka.Right) {
	t.Helper()
	req := kmsg.NewPtrDeleteACLsRequest()
	for _, right := range rights {
		one := kmsg.NewDeleteACLsRequestFilter()
		one.ResourceType, one.ResourceName, one.ResourcePatternType = kind(right), kmsg.StringPtr(right.Name), kmsg.ACLResourcePatternTypeLiteral
		one.Principal, one.Operation, one.PermissionType = kmsg.StringPtr(principal), kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
		req.Filters = append(req.Filters, one)
	}
	for _, r := range ask(t, c, req, kmsg.NewPtrDeleteACLsResponse()).Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			t.Fatal(err)
		}
	}
}

// SetPassword changes what a user proves with SCRAM-SHA-512. Connections that are open stay.
func (c *Cluster) SetPassword(t testing.TB, user, password string) {
	t.Helper()
	const iterations = 4096
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // it never fails
	salted, err := pbkdf2.Key(sha512.New, password, salt, iterations, sha512.Size)
	if err != nil {
		t.Fatal(err)
	}
	one := kmsg.NewAlterUserSCRAMCredentialsRequestUpsertion()
	one.Name, one.Mechanism, one.Iterations, one.Salt, one.SaltedPassword = user, 2, iterations, salt, salted
	req := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	req.Upsertions = append(req.Upsertions, one)
	for _, r := range ask(t, c, req, kmsg.NewPtrAlterUserSCRAMCredentialsResponse()).Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			t.Fatal(err)
		}
	}
}

// Script gives the rights of a script of deploy/kafka/acls, which it reads as a shell would.
func (c *Cluster) Script(t testing.TB, script string) {
	t.Helper()
	for line := range strings.Lines(script) {
		if !strings.HasPrefix(line, "kafka-acls.sh ") {
			continue
		}
		var principal string
		var right kafka.Right
		words := strings.Fields(line)
		for i, w := range words[:len(words)-1] {
			switch value := words[i+1]; w {
			case "--allow-principal":
				principal = value
			case "--operation":
				right.Operations = append(right.Operations, value)
			case "--topic", "--group":
				right.Kind, right.Name = strings.TrimPrefix(w, "--"), value
			}
		}
		c.Allow(t, principal, right)
	}
}
