package ddl

import "fmt"

// Preparation returns what has to run before the first migration: the database, and the table that says which migrations were applied.
func Preparation() []string {
	return []string{
		"CREATE DATABASE IF NOT EXISTS weir",
		"CREATE TABLE IF NOT EXISTS weir.migrations (version UInt32, name String, applied DateTime('UTC') DEFAULT now()) " +
			"ENGINE = ReplacingMergeTree ORDER BY version",
	}
}

// Record is the statement that follows those of a migration and says that it was applied.
func (m Migration) Record() string {
	return fmt.Sprintf("INSERT INTO weir.migrations (version, name) SELECT %d, '%s'", m.Version, m.Name)
}
