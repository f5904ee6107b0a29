package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
)

//go:embed report.v1.schema.json
var schema []byte

// Schema returns the JSON Schema (2020-12) of what JSON writes. The caller owns the copy.
func Schema() []byte { return append([]byte(nil), schema...) }

// JSON writes the report for programs, indented, with a line feed at the end.
func JSON(w io.Writer, r Report) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
