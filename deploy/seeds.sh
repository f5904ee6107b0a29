#!/usr/bin/env bash
# Runs the demo with five seeds, each with its fault and without, through the whole loop, and checks what was found against the truth that
# the simulation wrote. Usage: deploy/seeds.sh DIR [SEED...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

dir=${1:?where the data may go}
shift
seeds=("${@:-1 2 3 4 5}")
weir=${WEIR_BIN:-bin/weir}
failed=0
mkdir -p "$dir"

ask() { "$weir" query --data-dir "$1" --log-level error -o TSV "$2"; }

for seed in ${seeds[*]}; do
	for kind in fault healthy; do
		data=$dir/$seed-$kind
		rm -rf "$data"
		flags=()
		[[ $kind == fault ]] || flags=(--healthy)
		"$weir" demo --seed "$seed" --data-dir "$data" "${flags[@]}" >"$dir/$seed-$kind.txt" 2>&1 ||
			{ tail -3 "$dir/$seed-$kind.txt"; exit 1; }
		counted=$(sed -n 's/^Counted \([0-9]*\) calls; the simulation made \([0-9]*\)\. It took \([0-9]*\) s\.$/\1 \2 \3/p' "$dir/$seed-$kind.txt")
		read -r calls truth seconds <<<"$counted"
		if [[ $kind == healthy ]]; then
			noise=$(ask "$data" "SELECT count() FROM findings WHERE state != 'pending'")
			verdict=ok
			[[ $noise == 0 && $calls == "$truth" ]] || { verdict=FAILED; failed=1; }
			printf '%-7s seed %s  healthy  %s of %s calls counted, %s findings fired, %s s\n' "$verdict" "$seed" "$calls" "$truth" "$noise" "$seconds"
			continue
		fi
		# The first fault of the truth: where, and since when.
		read -r service version from < <(python3 - "$data/sim/truth.json" <<-'PY'
			import json, sys
			f = json.load(open(sys.argv[1]))["faults"][0]
			print(f["service"], f["version"], f["from"][:19].replace("T", "_"))
		PY
		)
		delay=$(ask "$data" "SELECT ifNull(toString(min(dateDiff('second', toDateTime64('${from/_/ }', 3, 'UTC'), updated_at))), 'never')
			FROM finding_revisions WHERE state = 'firing' AND workload = '$service' AND version = '$version' HAVING count() > 0")
		early=$(ask "$data" "SELECT count() FROM finding_revisions WHERE state = 'firing' AND updated_at < toDateTime64('${from/_/ }', 3, 'UTC')")
		shift_=$(ask "$data" "SELECT count() FROM decisions WHERE kind = 'shift' AND verdict = 'propose' AND version = '$version' AND proposed < \`current\`")
		verdict=ok
		# Three windows, and the rest of the window in which it began.
		[[ -n $delay && $delay != never && $delay -le 40 && $early == 0 && $shift_ -gt 0 && $calls == "$truth" ]] || { verdict=FAILED; failed=1; }
		printf '%-7s seed %s  fault    %s of %s calls counted, found %s s after it began, %s false alarms before, %s proposals to shift, %s s\n' \
			"$verdict" "$seed" "$calls" "$truth" "${delay:-never}" "$early" "$shift_" "$seconds"
	done
done
exit $failed
