package privacy

import (
	"fmt"
	"strings"
)

// Markdown is the page docs/privacy.md: what is kept, and how it is erased.
func Markdown(s Settings) string {
	var b strings.Builder
	b.WriteString(intro)
	for _, section := range []struct{ where, title string }{{Kafka, "Topics in Kafka"}, {ClickHouse, "Tables in ClickHouse, database weir"}, {Files, "Files"}} {
		fmt.Fprintf(&b, "\n## %s\n", section.title)
		for _, p := range Inventory(s) {
			if p.Where != section.where {
				continue
			}
			fmt.Fprintf(&b, "\n### %s\n\n%s. Kept: %s. Can be read by: %s.\n\n", strings.Join(p.Names, ", "), capital(p.What), p.Kept, p.Readers)
			b.WriteString("| fields | can hold | why |\n|---|---|---|\n")
			for _, f := range p.Fields {
				fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.Join(f.Names, "`, `"), f.Kind, f.Why)
			}
		}
	}
	b.WriteString(erasing)
	return b.String()
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

const intro = `# Privacy

What Weir keeps, where, why and how long, with the defaults of the configuration. This page is made by ` + "`weir privacy -o markdown`" + `, and a
test holds it to the tables and topics as they are; on your deployment, the command shows your own retention.

Weir counts calls between workloads. It keeps no bodies, URLs, paths, queries, user names, addresses of users, links, events or status
messages: what is not on the collector's list ([OTLP](formats/otlp.md)) never leaves it. Names of workloads and instances are chosen by
whoever sends. Keys in ` + "`collector.attributes`" + ` and what stands in manifests are kept as they come.

Clocks of retention start when a row is stored or a message written. ClickHouse drops whole parts, so a row may stay up to a day longer.
`

const erasing = `
## Erasing

    weir privacy erase --workload shop/cart          # shows how many rows of which table would go
    weir privacy erase --workload shop/cart --yes    # erases them
    weir privacy erase --instance cart-7d9f-x2kqp --yes
    weir privacy erase --tenant acme --yes

Rows go from all tables: windows (as called, and edges as caller), samples, forecasts, findings, decisions and their outcomes. Where
others list the workload among their callers, a made-up word takes its place, so that how many callers they had stays right. Parts are
rewritten; old ones leave the disk about 8 minutes later. Tables are found by their columns, so those of later versions are not left out.

What is counted of others does not change. Each erased day and partition leaves a row without names that carries its mark, so that
messages which are read again (after a crash, a reset of the consumer group) are not counted again; samples measured before are kept out
by a hash of the name in table ` + "`erasures`" + `. Kept spans (` + "`features.keep_spans`" + `) stay out after a crash; after a reset of the consumer
group, erase again. New telemetry of the same workload is counted as ever.

To be complete:

1. Let its telemetry end first, and restart ` + "`weir forecast`" + ` and ` + "`weir detect`" + ` afterwards: they remember workloads, and speak of them for up
   to 14 days of silence. Erase again then.
2. Kafka keeps its messages until their retention is over; the command says until when. A log is a sequence, single records cannot be taken
   out of it. ` + "`kafka-delete-records`" + ` cuts a partition at an offset for everybody: below the position that is committed it costs only what a
   rebuild would need, and dead letters can be cut at any offset.
3. Texts of other rows can name it (a reason, an object before and after). The command counts those in which ` + "`namespace/name`" + ` or the
   instance occurs; they go with their own retention, or with the workload they belong to.
4. A ClickHouse of your own also has its logs and backups (` + "`system.query_log`" + `, ` + "`system.mutations`" + ` hold the statement that erased).

Edges of an erased caller are gone, so the edges into its callees no longer add up to their calls; ` + "`weir why --count`" + ` says so.
`
