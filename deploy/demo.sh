#!/usr/bin/env bash
# Replays the recording that `make demo` generated, checks the count, and asks three questions. Usage: deploy/demo.sh [DIR], where DIR
# holds recording.jsonl; the data goes to DIR/data. The same recording gives the same answers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

dir=${1:-.cache/demo}
weir=${WEIR_BIN:-bin/weir}
counter=${weir%/*}/weir-recording
recording=$dir/recording.jsonl
data=$dir/data

[[ -x $weir && -x $counter && -e $recording ]] || {
	echo "demo: $weir, $counter or $recording is missing: run 'make demo', which builds and generates them" >&2
	exit 1
}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[[ -t 1 ]] || say() { printf '\n%s\n' "$*"; }

ask() {
	say "$1"
	"$weir" query --data-dir "$data" --log-level warn "$2"
}

say "A recording of a small shop (OTLP spans with repeated, late and orphaned ones) goes through the front door:"
"$weir" replay --data-dir "$data" --format otlp-json "$recording"

say "Is the count right?"
counted=$("$weir" query --data-dir "$data" --log-level warn -o TSV 'SELECT sum(calls) FROM service_windows')
expected=$("$counter" count "$recording" | awk '$1 == "calls" { print $2 }')
if [[ -z $expected || $counted != "$expected" ]]; then
	echo "No: the windows hold $counted calls, a separate program that only reads the file finds ${expected:-none}." >&2
	exit 1
fi
echo "Yes: the windows hold $counted calls, and a separate program that only reads the file finds $expected."

ask "1. Which services are busiest, how often do they fail, and how slow is the slowest percent?
   (milliseconds; no rate where the outcome of most calls is not known: missing is not zero)" "
	SELECT workload, sum(calls) AS total, sum(status_known) AS outcome_known, sum(errors) AS failed,
		if(outcome_known < total / 2, NULL, round(100 * failed / outcome_known, 2)) AS failed_percent,
		round(weirQuantile(0.50, sumMap(histogram)), 1) AS p50,
		round(weirQuantile(0.99, sumMap(histogram)), 1) AS p99
	FROM service_windows GROUP BY workload ORDER BY total DESC LIMIT 8"

ask "2. Which edges are slowest? (milliseconds; 'outside' = from outside the mesh)" "
	SELECT if(source_workload = '', 'outside', source_workload) AS caller, destination_workload AS callee, sum(calls) AS total,
		round(weirQuantile(0.50, sumMap(histogram)), 1) AS p50,
		round(weirQuantile(0.99, sumMap(histogram)), 1) AS p99
	FROM edge_windows WHERE source_workload != '?' GROUP BY caller, callee HAVING total >= 100 ORDER BY p99 DESC, total DESC LIMIT 8"

ask "3. How does the load move? (calls a minute, from the 1-minute windows, in steps of ten minutes)" "
	SELECT formatDateTime(toStartOfInterval(window_start, INTERVAL 10 MINUTE), '%H:%i') AS from,
		intDiv(sum(calls), 10) AS calls_a_minute, bar(calls_a_minute, 0, max(calls_a_minute) OVER (), 50) AS load
	FROM service_windows_1m GROUP BY from ORDER BY from LIMIT 40"

say "Where to look next"
weir=${weir#"$PWD"/}
cat <<END
  $weir query --data-dir $data 'SELECT * FROM service_windows LIMIT 3' -o vertical
  $weir up --data-dir $data        # the same data, and OTLP is taken on 127.0.0.1:4317
  $weir status --data-dir $data    # in another terminal, while it runs
  README.md, docs/formats/sql.md         # every view and column, and more questions
END
