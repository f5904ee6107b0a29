// Package tools pins what the lab runs from others: programs and custom resource definitions. The modules below it only build them, each
// with dependencies of its own that stay out of Weir's; build.sh makes everything. Programs find them with package toolbox.
package tools

import _ "embed"

//go:embed versions.env
var versions string

// Versions returns the pins, one NAME=value a line; lines that begin with # are comments.
func Versions() string { return versions }
