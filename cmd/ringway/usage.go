package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"ringway/layout"
)

// usageError is wrong use: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// plainFlag says what a flag takes where the parser says what a function of Go's found.
func plainFlag(err error) error {
	text := err.Error()
	i := strings.LastIndex(text, " flag: ")
	if i < 0 {
		return err
	}
	before, why := text[:i+len(" flag: ")], text[i+len(" flag: "):]
	switch {
	case strings.HasPrefix(why, "time: "):
		why = "it takes a duration such as 500ms, 2s or 1m"
	case strings.HasPrefix(why, "strconv.") && strings.HasSuffix(why, "value out of range"):
		why = "the number is out of range"
	case strings.HasPrefix(why, "strconv.ParseBool"):
		why = "it is true or false"
	case strings.HasPrefix(why, "strconv.ParseUint"):
		why = "it takes a whole number, 0 or more"
	case strings.HasPrefix(why, "strconv."):
		why = "it takes a whole number"
	default:
		return err
	}
	return errors.New(before + why)
}

// specUsage turns a spec that no ring can have, which came from flags, into wrong use.
func specUsage(err error) error {
	if errors.Is(err, layout.ErrSpec) {
		return usageError{err}
	}
	return err
}

// oneLine makes an error fit on one line of a terminal, whatever a file name in it holds.
func oneLine(err error) string {
	return printable(strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
}

// printable replaces what could move a terminal's cursor.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// exactly is the Args of a verb that takes the arguments its usage line names.
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("%s is missing", names[len(args)])
		case len(args) > len(names):
			return usagef("%q is one argument too many", args[len(names)])
		}
		return nil
	}
}
