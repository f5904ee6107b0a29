package doctor

import (
	"fmt"
	"time"
)

// Thresholds. A disk below minFree of its size, or below minFreeBytes, is nearly full: the log, the engine's merges and its scratch files
// need room at the same time.
const (
	minFree, fullFree   = 0.10, 0.02
	minFreeBytes        = 2 << 30
	minOpenFiles        = 4096
	certificateSoon     = 21 * 24 * time.Hour
	clockWarn, clockBad = time.Second, 30 * time.Second
	repairTime          = 24 * time.Hour // what somebody needs to mend ClickHouse over a bad weekend's worst day
)

func checkSettings(f Facts) []Result {
	const check = "config.consistent"
	s := f.Settings
	var all []Result
	if s.StoreRetention < s.KafkaRetention {
		all = append(all, failed(check, fmt.Sprintf("clickhouse.retention (%s) is shorter than kafka.retention (%s): what is read again after its marks are gone counts twice",
			short(s.StoreRetention), short(s.KafkaRetention)), "set clickhouse.retention above kafka.retention"))
	}
	if s.KafkaRetention < repairTime {
		all = append(all, warning(check, fmt.Sprintf("kafka.retention is %s: an outage of ClickHouse that lasts longer loses telemetry", short(s.KafkaRetention)),
			"set kafka.retention to at least the time it takes you to mend ClickHouse, for example 168h"))
	}
	if len(s.PlainText) > 0 {
		all = append(all, warning(check, "insecure is set, and plain text is spoken beyond loopback: "+list(s.PlainText),
			"set tls.cert_file and tls.key_file, and remove insecure"))
	}
	if need := uint64(s.MemoryMiB) << 20; f.Host.MemoryLimit > 0 && need > f.Host.MemoryLimit {
		all = append(all, warning(check, fmt.Sprintf("the parts may take %s of memory, the limit of this machine is %s", size(need), size(f.Host.MemoryLimit)),
			"lower clickhouse.memory_mib and collector.memory_limit_mib, or raise the limit"))
	}
	return orOK(all, check, "the configuration fits together")
}

func checkKeys(f Facts) (all []Result) {
	for _, k := range f.Keys {
		check := "keys." + k.Role
		switch {
		case k.Err != "":
			all = append(all, failed(check, k.Err, "mend the file; docs/operations.md says how a key is made and changed"))
		case !k.Found:
			all = append(all, skipped(check, fmt.Sprintf("there is no key at %s yet", k.Path), "the first start makes it"))
		default:
			all = append(all, ok(check, "%s can be used", k.Path))
		}
	}
	return all
}

func checkHost(f Facts) []Result {
	h := f.Host
	all := disk("host.disk", "the data directory "+h.DataDir, h.DiskFree, h.DiskTotal)
	switch {
	case h.OpenFiles == 0:
		all = append(all, skipped("host.files", "the limit of open files is not known here", ""))
	case h.OpenFiles < minOpenFiles:
		all = append(all, warning("host.files", fmt.Sprintf("a process may open %d files; the engine keeps one for each column of a part it reads", h.OpenFiles),
			fmt.Sprintf("raise it: ulimit -n %d, or LimitNOFILE= of the service", 65536)))
	default:
		all = append(all, ok("host.files", "a process may open %d files", h.OpenFiles))
	}
	return all
}

// disk judges the room on a disk.
func disk(check, where string, free, total uint64) []Result {
	const room = "make room or add disk; what waits goes on by itself then. kafka.retention and clickhouse.retention say what is kept"
	left := fmt.Sprintf("%s has %s free of %s", where, size(free), size(total))
	switch part := share(free, total); {
	case total == 0:
		return []Result{skipped(check, "how full "+where+" is cannot be seen", "")}
	case part < fullFree:
		return []Result{failed(check, left, room)}
	case part < minFree || free < minFreeBytes:
		return []Result{warning(check, left, room)}
	}
	return []Result{ok(check, "%s", left)}
}

func checkEndpoints(f Facts) (all []Result) {
	for _, e := range f.Endpoints {
		all = append(all, checkEndpoint(f.Now, e))
	}
	return all
}

func checkEndpoint(now time.Time, e Endpoint) Result {
	check := "reach." + e.Name
	left := e.Expires.Sub(now)
	switch {
	case e.ResolveErr != "":
		return failed(check, fmt.Sprintf("the host of %s is not known: %s", e.Address, e.ResolveErr), "correct the address, or the name service")
	case e.DialErr != "":
		return failed(check, fmt.Sprintf("nothing answers at %s: %s", e.Address, e.DialErr), "start it, correct the address, or open the way (firewall, NetworkPolicy)")
	case e.TLSErr != "":
		return failed(check, fmt.Sprintf("%s does not speak TLS as expected: %s", e.Address, e.TLSErr),
			"check the certificate's names, tls.ca_file, and that both sides use TLS")
	case e.TLS && !e.Expires.IsZero() && left <= 0:
		return failed(check, fmt.Sprintf("the certificate of %s has expired on %s", e.Address, e.Expires.Format(time.DateOnly)), "renew it and restart what shows it")
	case e.TLS && !e.Expires.IsZero() && left < certificateSoon:
		return warning(check, fmt.Sprintf("the certificate of %s expires in %s", e.Address, short(left)), "renew it and restart what shows it")
	case e.TLS:
		return ok(check, "%s answers with TLS, its certificate is good for %s", e.Address, short(left))
	}
	return ok(check, "%s answers", e.Address)
}

// clock judges how far a clock lies ahead of ours (negative: behind).
func clock(check, whose string, ahead, uncertainty time.Duration) Result {
	const advice = "let both machines follow the same time servers (chronyc tracking, timedatectl)"
	off := fmt.Sprintf("the clock of %s is %s off this machine's", whose, short(ahead))
	switch beyond := ahead.Abs() - uncertainty; {
	case beyond > clockBad:
		return failed(check, off, advice)
	case beyond > clockWarn:
		return warning(check, off, advice)
	}
	return ok(check, "the clocks of this machine and %s agree", whose)
}
