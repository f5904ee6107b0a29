package kafka

import (
	"fmt"
	"strings"
)

// Script returns a shell script that gives a user exactly the role's rights, with Kafka's own kafka-acls.sh. principal names the user as
// Kafka does, for example User:weir-collector.
func (r Role) Script(principal string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#!/bin/sh\n# The rights of %s: %s.\n# KAFKA is the address of a broker, ADMIN the file with the settings of somebody who may give rights.\nset -eu\n",
		r.Name, r.Does)
	for _, right := range r.Rights {
		fmt.Fprintf(&b, "kafka-acls.sh --bootstrap-server \"$KAFKA\" --command-config \"$ADMIN\" --add --allow-principal %s", quote(principal))
		for _, o := range right.Operations {
			b.WriteString(" --operation " + o)
		}
		fmt.Fprintf(&b, " --%s %s\n", right.Kind, quote(right.Name))
	}
	return b.String()
}

// quote makes one word of the shell of s.
func quote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
