package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// emit writes facts to standard output at once.
func emit(text []byte) error {
	_, err := os.Stdout.Write(text)
	return outputError(err)
}

// outputError says which file a failed write was to.
func outputError(err error) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError // says "write /dev/stdout", which may be a pipe
	if errors.As(err, &path) {
		err = path.Err
	}
	return fmt.Errorf("write to standard output: %w", err)
}

// emitJSON writes v on one line.
func emitJSON(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	return emit(b.Bytes())
}

// table aligns columns that are separated by tabs.
func table(write func(w *tabwriter.Writer)) []byte {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	write(w)
	_ = w.Flush() // a bytes.Buffer takes everything
	return b.Bytes()
}

func jsonFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("json", false, "print JSON, one object a line")
}

// stamp writes a time the way JSON and people both read.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
