// Command peers measures Ringway beside what people would use instead: C and C++ queues, Go libraries, what the system offers,
// and the rings of the textbook. Everybody does the same work between two pinned CPUs, sample by sample in turn; see groups for
// the tables. It goes on where it was stopped.
//
//	peers -native PROGRAM [-journal FILE] [-json FILE] [-table FILE] [-only TEXT] [-for DURATION] [-samples N] [-list]
//
// PROGRAM is what build.sh makes. `make bench-peers` does it all.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"ringway/bench"
)

func main() {
	childMain()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: peers -native PROGRAM; -h names the other flags")

// notFetched are peers whose code could not be had.
var notFetched = []missingPeer{{"gofsd/shmring", "its Go module could not be fetched (go get github.com/gofsd/shmring@v0.4.1); with it, add a scenario like that of shmipc-go"}}

func run() error {
	program := flag.String("native", "", "the C and C++ peers, as build.sh made them")
	path := flag.String("journal", "peers.samples", "samples so far; a stopped run goes on from here")
	jsonPath := flag.String("json", "", "write the results there as JSON")
	tablePath := flag.String("table", "", "write the results there as Markdown")
	command := flag.String("command", "make bench-peers", "what the report says it was made with")
	only := flag.String("only", "", "only tables whose name contains this")
	limit := flag.Duration("for", 0, "stop after this long; 0: when all is measured")
	want := flag.Int("samples", minSamples, "of each competitor in one regime, at least 7")
	list := flag.Bool("list", false, "name the tables and competitors, measure nothing")
	flag.Parse()
	if *program == "" || flag.NArg() > 0 || *want < minSamples {
		return fmt.Errorf("peers: wants -native, at least %d samples and no other arguments: %w", minSamples, errUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := &runner{path: *program, want: *want, missing: notFetched}
	if err := r.inventory(ctx); err != nil {
		return err
	}
	if *list {
		return r.list(os.Stdout)
	}
	var err error
	if r.cpus, err = bench.TwoCPUs(); err != nil {
		return err
	}
	build, err := buildOf(*program)
	if err != nil {
		return err
	}
	var h head
	r.journal, h, err = openJournal(*path, head{build, bench.Machine(), time.Now().UTC().Format(time.RFC3339)})
	if err != nil {
		return err
	}
	if *limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *limit)
		defer cancel()
	}
	defer r.close()
	measured := r.all(ctx, *only, os.Stderr)
	rep := r.summary(h, *command)
	if *jsonPath != "" {
		err = rep.save(*jsonPath)
	}
	if *tablePath != "" {
		var text strings.Builder
		rep.table(&text)
		err = errors.Join(err, os.WriteFile(*tablePath, []byte(text.String()), 0o644))
	}
	if measured == nil {
		rep.table(os.Stdout)
	}
	return errors.Join(measured, err)
}

// all measures what is not yet measured, and says how far it is and what is left.
func (r *runner) all(ctx context.Context, only string, progress io.Writer) error {
	var todo []group
	for _, g := range groups() {
		if strings.Contains(g.name, only) && !r.done(r.present(g)) {
			todo = append(todo, g)
		}
	}
	begun := time.Now()
	for i, g := range todo {
		left := ""
		if i > 0 {
			per := time.Since(begun) / time.Duration(i)
			left = fmt.Sprintf(", about %v left", (per * time.Duration(len(todo)-i)).Round(time.Second))
		}
		fmt.Fprintf(progress, "%s (%d of %d%s)\n", g.name, i+1, len(todo), left)
		err := r.measure(ctx, g, progress)
		fmt.Fprintln(progress)
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) list(w io.Writer) error {
	for _, g := range groups() {
		fmt.Fprintf(w, "%s: %s\n", g.name, g.about)
		for _, c := range r.present(g).competitors {
			fmt.Fprintf(w, "  %s\n", c.name)
		}
	}
	for _, m := range r.missing {
		fmt.Fprintf(w, "missing %s: %s\n", m.Peer, m.Todo)
	}
	return nil
}

// buildOf names this program and the native one by what they are made of, so that samples of different code are not mixed.
func buildOf(program string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, name := range []string{self, program} {
		f, err := os.Open(filepath.Clean(name))
		if err != nil {
			return "", fmt.Errorf("peers: %w: build it with bench/peers/build.sh", err)
		}
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}
