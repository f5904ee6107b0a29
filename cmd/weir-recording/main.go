// Command weir-recording makes recordings of a mesh's traffic, damages recordings, and counts what they hold by a
// program that is independent of Weir. Exit codes: 0 done, 1 error, 4 bad usage.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weirmesh/weir/sim/recording"
)

const usage = `Make, damage and count recordings of a service mesh's traffic.

  weir-recording generate --out DIR [--format nezha|otlp-json] [--calls N] [--minutes N] [--seed N]
  weir-recording mutate   --in DIR --out DIR [--drop-parents F] [--double F] [--skew-hosts F] [--late F] [--shuffle]
  weir-recording count    PATH [-o text|json]

Examples:
  weir-recording generate --out day --calls 100000 --minutes 30
  weir-recording generate --out day.jsonl.gz --format otlp-json --seed 7
  weir-recording mutate --in day --out rough --drop-parents 0.02 --double 0.05 --skew-hosts 0.1 --late 0.01 --shuffle
  weir-recording count rough -o json

'weir-recording COMMAND --help' lists the flags of a command.
`

// errUsage marks errors of the command line; the rest has been printed when it is bare.
var errUsage = errors.New("bad usage")

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	err := dispatch(args, stdout, stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		_, _ = fmt.Fprintln(stderr, "weir-recording:", err)
		return 4
	default:
		_, _ = fmt.Fprintln(stderr, "weir-recording:", err)
		return 1
	}
}

func dispatch(args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		_, _ = fmt.Fprint(stderr, usage)
		return fmt.Errorf("%w: no command", errUsage)
	}
	commands := map[string]func([]string, io.Writer) error{"generate": generate, "mutate": mutate, "count": count}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		_, err := fmt.Fprint(stdout, usage)
		return err
	}
	command, ok := commands[args[0]]
	if !ok {
		return fmt.Errorf("%w: unknown command %q, want generate, mutate or count", errUsage, args[0])
	}
	return command(args[1:], stdout)
}

// parse reads flags that may also stand behind the arguments, of which there must be as many as names.
func parse(fs *flag.FlagSet, args []string, stdout io.Writer, example string, names ...string) ([]string, error) {
	fs.SetOutput(io.Discard)
	var rest []string
	for {
		err := fs.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			_, _ = fmt.Fprintf(stdout, "usage: weir-recording %s %s [flags]\nexample: %s\n\n", fs.Name(), strings.Join(names, " "), example)
			fs.SetOutput(stdout)
			fs.PrintDefaults()
			return nil, err
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", errUsage, fs.Name(), err)
		}
		if fs.NArg() == 0 {
			break
		}
		rest, args = append(rest, fs.Arg(0)), fs.Args()[1:]
	}
	if len(rest) != len(names) {
		return nil, fmt.Errorf("%w: %s takes %d arguments %v, got %q", errUsage, fs.Name(), len(names), names, rest)
	}
	return rest, nil
}

func generate(args []string, stdout io.Writer) error {
	cfg := recording.DefaultConfig()
	fs := flag.NewFlagSet("generate", flag.ContinueOnError)
	out := fs.String("out", "", "`path` to write: a folder for nezha, a file for otlp-json (.gz compresses)")
	format := fs.String("format", "nezha", "nezha or otlp-json")
	start := fs.String("start", cfg.Start.Format(time.RFC3339), "first minute, RFC 3339")
	fs.Uint64Var(&cfg.Seed, "seed", cfg.Seed, "the same seed gives the same files")
	fs.IntVar(&cfg.Calls, "calls", cfg.Calls, "at least this many calls")
	fs.IntVar(&cfg.Minutes, "minutes", cfg.Minutes, "length; must not cross midnight UTC")
	fs.Float64Var(&cfg.Duplicates, "duplicates", cfg.Duplicates, "fraction of rows that are there twice")
	fs.Float64Var(&cfg.Orphans, "orphans", cfg.Orphans, "fraction of calls without their caller's span")
	fs.Float64Var(&cfg.Late, "late", cfg.Late, "fraction of rows an hour late")
	fs.Float64Var(&cfg.Skewed, "skewed", cfg.Skewed, "fraction of pods with a wrong clock")
	fs.Float64Var(&cfg.Backwards, "backwards", cfg.Backwards, "fraction of spans that end before they start")
	fs.Float64Var(&cfg.Failing, "failing", cfg.Failing, "fraction of calls that fail (otlp-json)")
	_, err := parse(fs, args, stdout, "weir-recording generate --out day --calls 100000 --minutes 30")
	if err != nil {
		return err
	}
	if *out == "" || *format != "nezha" && *format != "otlp-json" {
		return fmt.Errorf("%w: generate needs --out and a --format of nezha or otlp-json", errUsage)
	}
	if cfg.Start, err = time.Parse(time.RFC3339, *start); err != nil {
		return fmt.Errorf("%w: --start: %w", errUsage, err)
	}
	day, err := recording.Generate(cfg)
	if errors.Is(err, recording.ErrConfig) {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if err != nil {
		return err
	}
	write := day.WriteNezha
	if *format == "otlp-json" {
		write = day.WriteOTLP
	}
	if err := write(*out); err != nil {
		return err
	}
	return printJSON(stdout, day.Summary)
}

func mutate(args []string, stdout io.Writer) error {
	fs := flag.NewFlagSet("mutate", flag.ContinueOnError)
	in := fs.String("in", "", "`folder` of a Nezha recording")
	out := fs.String("out", "", "`folder` to write, another one")
	seed := fs.Uint64("seed", 1, "the same seed gives the same files")
	drop := fs.Float64("drop-parents", 0, "`fraction` of the spans with children that are taken out")
	double := fs.Float64("double", 0, "`fraction` of the rows written twice")
	skew := fs.Float64("skew-hosts", 0, "`fraction` of the pods with a clock wrong by 1 s to 1 h")
	late := fs.Float64("late", 0, "`fraction` of the rows moved to the file of an hour later")
	shuffle := fs.Bool("shuffle", false, "mix rows within files and with the neighbouring files")
	_, err := parse(fs, args, stdout, "weir-recording mutate --in day --out rough --double 0.05 --skew-hosts 0.1 --shuffle")
	if err != nil {
		return err
	}
	if *in == "" || *out == "" || filepath.Clean(*in) == filepath.Clean(*out) {
		return fmt.Errorf("%w: mutate needs --in and --out, different folders", errUsage)
	}
	var mutations []recording.Mutation
	add := func(fraction float64, m func(float64) recording.Mutation) {
		if fraction > 0 {
			mutations = append(mutations, m(fraction))
		}
	}
	add(*drop, recording.DropParents)
	add(*double, recording.Double)
	add(*skew, recording.SkewHosts)
	add(*late, recording.Late)
	if *shuffle {
		mutations = append(mutations, recording.Shuffle())
	}
	changes, err := recording.Mutate(*in, *out, *seed, mutations...)
	if err != nil {
		return err
	}
	return printJSON(stdout, changes)
}

func count(args []string, stdout io.Writer) error {
	fs := flag.NewFlagSet("count", flag.ContinueOnError)
	format := fs.String("format", "", "nezha or otlp-json (default: by the file's name; a folder with *.json* files and no trace files is otlp-json)")
	output := fs.String("o", "text", "text (totals and edges) or json (also windows)")
	rest, err := parse(fs, args, stdout, "weir-recording count day -o json", "PATH")
	if err != nil {
		return err
	}
	if *format == "" {
		*format = guess(rest[0])
	}
	var read func(string) (recording.Truth, error)
	switch *format {
	case "nezha":
		read = recording.Count
	case "otlp-json":
		read = recording.CountOTLP
	}
	if read == nil || *output != "text" && *output != "json" {
		return fmt.Errorf("%w: count knows the formats nezha and otlp-json and the outputs text and json", errUsage)
	}
	truth, err := read(rest[0])
	if err != nil {
		return err
	}
	if *output == "json" {
		return printJSON(stdout, truth)
	}
	return printText(stdout, truth)
}

// guess tells the format by the names of files.
func guess(path string) string {
	name := strings.TrimSuffix(path, ".gz")
	if strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".jsonl") {
		return "otlp-json"
	}
	otlp, _ := filepath.Glob(filepath.Join(path, "*.json*"))
	if _, err := os.Stat(filepath.Join(path, "trace")); err == nil || len(otlp) == 0 {
		return "nezha"
	}
	if nezha, _ := filepath.Glob(filepath.Join(path, "*_trace.csv*")); len(nezha) > 0 {
		return "nezha" // the real days keep a JSON file beside their traces
	}
	return "otlp-json"
}

func printText(w io.Writer, t recording.Truth) error {
	_, err := fmt.Fprintf(w, "rows %d\nspans %d\nduplicates %d\nbad %d\norphans %d\nbackwards %d\ncalls %d\nerrors %d\n",
		t.Rows, t.Spans, t.Duplicates, t.Bad, t.Orphans, t.Backwards, t.Calls, t.Errors)
	for _, e := range t.Edges {
		_, errEdge := fmt.Fprintf(w, "edge %q -> %q %d calls, %d errors\n", e.Source, e.Destination, e.Calls, e.Errors)
		err = errors.Join(err, errEdge)
	}
	return err
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
