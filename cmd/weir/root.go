package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/weirmesh/weir/cmd/cli"
	"github.com/weirmesh/weir/internal/config"
)

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, std stdio) int {
	root := newRoot(std) //nolint:contextcheck // cobra hands the context to each command
	root.SetArgs(args)
	return cli.Run(ctx, root, "weir", std.err)
}

func newRoot(std stdio) *cobra.Command {
	root := &cobra.Command{
		Use:   "weir",
		Short: "Measure the traffic of a service mesh, and steer it",
		Long: "Weir watches every call of a service mesh, counts it once, and keeps exact windows per service and edge in ClickHouse.\n\n" +
			"Every key of the configuration can be set in a file (--config), as WEIR_SECTION_KEY in the environment, or, for the common\n" +
			"ones, as a flag; `weir config explain` shows all of them.",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	flags := root.PersistentFlags()
	flags.StringP("config", "c", "", "configuration file (YAML)")
	keyFlag(flags, "data-dir", "data_dir")
	keyFlag(flags, "log-level", "log.level")
	keyFlag(flags, "log-format", "log.format")
	keyFlag(flags, "insecure", "insecure")
	keyFlag(flags, "wait", "wait")
	root.AddGroup(&cobra.Group{ID: "use", Title: "Use Weir:"}, &cobra.Group{ID: "stage", Title: "Run one stage:"})
	for _, c := range []*cobra.Command{
		upCommand(), demoCommand(), simCommand(), replayCommand(), reportCommand(), whyCommand(), alertsCommand(), decisionsCommand(), queryCommand(),
		statusCommand(), doctorCommand(), sizeCommand(), deadletterCommand(), privacyCommand(), schemaCommand(), backupCommand(), restoreCommand(),
		topicsCommand(), configCommand(), labCommand(),
	} {
		c.GroupID = "use"
		root.AddCommand(c)
	}
	for _, c := range []*cobra.Command{
		collectorCommand(), featuresCommand(), forecastCommand(), detectCommand(), actuatorCommand(), clickhouseCommand(), brokerCommand(),
	} {
		c.GroupID = "stage"
		root.AddCommand(c)
	}
	root.AddCommand(versionCommand())
	cli.Strict(root)
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version",
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "weir", version)
			return err
		},
	}
}

// keyAnnotation ties a flag to the configuration key it sets.
const keyAnnotation = "weir-key"

// keyFlag adds a flag that sets a configuration key. Its help and default come from the key.
func keyFlag(flags *pflag.FlagSet, name, key string) {
	for _, k := range config.Keys() {
		if k.Name != key {
			continue
		}
		help := k.Doc
		switch k.Default {
		case "true", "false":
			flags.Bool(name, k.Default == "true", help)
		case "[]":
			flags.StringSlice(name, nil, help)
		default:
			flags.String(name, strings.Trim(k.Default, `"`), help)
		}
		_ = flags.SetAnnotation(name, keyAnnotation, []string{key}) // it fails only for a flag that is not there
		return
	}
}

// loadConfig reads the configuration for a command: its flags, the environment, the file.
func loadConfig(cmd *cobra.Command, environ []string) (config.Config, config.Sources, error) {
	set := map[string]any{}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if key := f.Annotations[keyAnnotation]; len(key) == 1 {
			if list, ok := f.Value.(pflag.SliceValue); ok {
				set[key[0]] = list.GetSlice()
			} else {
				set[key[0]] = f.Value.String()
			}
		}
	})
	file, err := cmd.Flags().GetString("config")
	if err != nil {
		return config.Config{}, nil, fmt.Errorf("read flags: %w", err)
	}
	cfg, sources, err := config.Load(config.Options{File: file, Env: environ, Flags: set})
	if err != nil {
		return cfg, sources, cli.UsageError{Err: err}
	}
	return cfg, sources, nil
}
