// Command ringway makes, watches and uses rings in shared memory from the shell.
// Each verb is a file of its own; ringway help shows them.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"ringway/bench"
)

// Exit statuses of every verb.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	bench.ChildMain()
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	// Notified, not ignored: a write to a closed pipe is an error that a verb
	// reports, and programs we start get the default back.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	root := rootCmd()
	root.SetArgs(args)
	verb, err := root.ExecuteC()
	if err == nil {
		return exitDone
	}
	text := strings.TrimPrefix(oneLine(err), verb.Name()+" ") // the library says what it was doing, too
	status, usage := exitFailed, usageError{}
	var other interface{ ExitStatus() int }
	switch {
	case errors.As(err, &usage):
		status = exitUsage
		text += "; see " + verb.CommandPath() + " --help"
	case errors.As(err, &other):
		status = other.ExitStatus()
	}
	if text != "" {
		fmt.Fprintf(os.Stderr, "%s: %s\n", verb.CommandPath(), text)
	}
	return status
}

func rootCmd() *cobra.Command {
	showVersion := false
	root := &cobra.Command{
		Use:   "ringway",
		Short: "Rings in shared memory, from the shell",
		Long: `Ringway moves messages between processes through a ring in shared memory.

A ring is a file. NAME is a plain name (ticks is /dev/shm/ticks.ring) or, with a
slash in it, a path; sysv:0x1234 is a ring in System V shared memory. One
process sends, one receives, any number look; a ring made with --kind mpmc takes many
of each.

Facts go to standard output, everything else to standard error. The exit status
is 0 for done, 1 for failed, 2 for wrong use.`,
		Example: `  ringway create ticks --cap 1MiB
  ringway recv ticks &
  date | ringway send ticks
  ringway stat ticks
  ringway shutdown ticks && ringway rm ticks`,
		Args:          cobra.ArbitraryArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(c *cobra.Command, args []string) error {
			if showVersion && len(args) == 0 {
				return emit([]byte(ourVersion() + "\n"))
			}
			if len(args) == 0 {
				return c.Help()
			}
			hint := ""
			if near := c.SuggestionsFor(args[0]); len(near) > 0 {
				hint = fmt.Sprintf("; did you mean %s?", strings.Join(near, " or "))
			}
			return usagef("there is no verb %q%s", args[0], hint)
		},
	}
	root.Flags().BoolVar(&showVersion, "version", false, "say which build this is")
	root.SuggestionsMinimumDistance = 2
	root.AddCommand(createCmd(), lsCmd(), statCmd(), sendCmd(), recvCmd(), tailCmd(),
		checkCmd(), reapCmd(), shutdownCmd(), rmCmd(), demoCmd(), benchCmd(), labCmd())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{plainFlag(err)} })
	root.SetHelpCommand(helpCmd())
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Args, c.RunE = cobra.NoArgs, func(c *cobra.Command, _ []string) error { return c.Help() }
		}
	}
	refuseAsUsage(root)
	return root
}

// helpCmd is cobra's, except that asking for what does not exist is wrong use.
func helpCmd() *cobra.Command {
	return &cobra.Command{
		Use:     "help [VERB]",
		Short:   "Say what a verb does",
		Long:    "Help says what a verb does, with all of its flags. ringway VERB --help is the same.",
		Example: "  ringway help send",
		ValidArgsFunction: func(c *cobra.Command, _ []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			for _, verb := range c.Root().Commands() {
				if verb.IsAvailableCommand() {
					names = append(names, verb.Name()+"\t"+verb.Short)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			verb, rest, err := c.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("there is no verb %q; ringway --help lists them", strings.Join(args, " "))
			}
			verb.InitDefaultHelpFlag()
			return verb.Help()
		},
	}
}

// refuseAsUsage makes wrong arguments of any verb wrong use, cobra's own verbs included.
func refuseAsUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			err := check(c, args)
			var usage usageError
			if err == nil || errors.As(err, &usage) {
				return err
			}
			return usageError{err}
		}
	}
	for _, sub := range c.Commands() {
		refuseAsUsage(sub)
	}
}
