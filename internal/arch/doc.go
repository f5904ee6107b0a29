// Package arch holds no code, only the test of the import rules: who may import whom, and which package owns which library. The linter
// checks the same rules in an editor; this test needs nothing but Go, and also checks that the two lists agree.
package arch
