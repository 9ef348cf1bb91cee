package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ringway/layout"
	"ringway/ring"
	"ringway/shm"
)

func lsCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "ls [DIR]",
		Short: "List rings",
		Long: `Ls lists the rings in DIR (` + shm.Dir + `): what they are, how full, their state, and how
many seats have a living or a dead owner. Variables are listed too (their depth is a dash), and without
DIR the rings in System V shared memory. A ring that cannot be used, or not by us, is listed with the
reason; what is no ring is passed over. With --json, attached counts who has it open for writing.`,
		Example: `  ringway ls
  ringway ls /var/lib/rings --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%q is one argument too many", args[1])
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	asJSON := jsonFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		dir := shm.Dir
		if len(args) == 1 {
			dir = args[0]
		}
		if dir == "" {
			return usagef("DIR is empty; leave it out for %s", shm.Dir)
		}
		rings, err := listRings(dir)
		if errors.Is(err, fs.ErrNotExist) {
			if _, e := os.Stat(shm.Path(dir)); e == nil { // the name of a ring
				return fmt.Errorf("%w; ls takes a directory: ringway stat %s shows that ring", err, dir)
			}
		}
		if err == nil && len(args) == 0 {
			rings, err = addSysV(rings)
		}
		if err != nil {
			return err
		}
		if *asJSON {
			return emitJSON(rings)
		}
		if len(rings) == 0 {
			fmt.Fprintf(os.Stderr, "no rings in %s\n", printable(dir))
			return nil
		}
		return emit(ringTable(rings))
	}
	return c
}

// ringRow is one ring of a listing; Error says why there is nothing more.
type ringRow struct {
	Name    string `json:"name"`
	Path    string `json:"path"`
	Kind    string `json:"kind,omitempty"`
	Payload string `json:"payload,omitempty"`
	Cap     int    `json:"cap,omitempty"`
	Unit    string `json:"unit,omitempty"`
	Depth   *int   `json:"depth,omitempty"`
	State   string `json:"state,omitempty"`
	Alive   *int   `json:"seats_alive,omitempty"`
	Dead    *int   `json:"seats_dead,omitempty"`
	Users   *int   `json:"attached,omitempty"`
	Size    int64  `json:"file_size"`
	Error   string `json:"error,omitempty"`
}

func listRings(dir string) ([]ringRow, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	rings := []ringRow{} // an empty array in JSON, not null
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !e.Type().IsRegular() || !looksLikeRing(path) {
			continue
		}
		info, err := ring.Inspect(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		row := ringRow{Name: ringName(path), Path: path, Size: info.Size}
		if err != nil {
			row.Error = strings.TrimPrefix(oneLine(err), "open "+path+": ")
			if st, e := e.Info(); e == nil {
				row.Size = st.Size()
			}
		} else {
			row.fill(info)
		}
		rings = append(rings, row)
	}
	return rings, nil
}

func (r *ringRow) fill(info ring.Info) {
	alive, dead := 0, 0
	for _, s := range info.Seats {
		if s.Alive {
			alive++
		} else if !s.Orphan { // that one nobody owns
			dead++
		}
	}
	r.Kind, r.Payload, r.Cap, r.Unit = info.Spec.Kind.String(), info.Spec.Payload.String(), info.Spec.Cap, unitOf(info.Spec)
	r.State, r.Alive, r.Dead, r.Users = info.State, &alive, &dead, &info.Users.Count
	if info.Spec.Kind.Ring() {
		r.Depth = &info.Stats.Len
	}
}

// addSysV adds the rings in System V shared memory.
func addSysV(rings []ringRow) ([]ringRow, error) {
	names, err := shm.ListSysV()
	if err != nil {
		return rings, err
	}
	for _, name := range names {
		info, err := ring.Inspect(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		row := ringRow{Name: name, Path: name, Size: info.Size}
		if err != nil {
			row.Error = strings.TrimPrefix(oneLine(err), "open "+name+": ")
		} else {
			row.fill(info)
		}
		rings = append(rings, row)
	}
	return rings, nil
}

// looksLikeRing reports whether a regular file begins like a ring, or is called one
// and cannot be read or was never finished.
func looksLikeRing(path string) bool {
	called := filepath.Ext(path) == shm.Ext
	f, err := os.Open(path)
	if err != nil {
		return called
	}
	defer f.Close()
	var magic [8]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil {
		return called
	}
	return called || layout.HasMagic(magic[:])
}

func ringTable(rings []ringRow) []byte {
	return table(func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "NAME\tKIND\tPAYLOAD\tCAP\tDEPTH\tSTATE\tALIVE\tDEAD\tSIZE")
		for _, r := range rings {
			if r.Error != "" {
				fmt.Fprintf(w, "%s\t-\t-\t-\t-\t%s\t-\t-\t%s\n", printable(r.Name), "unusable", roughSize(uint64(r.Size)))
				continue
			}
			capacity, depth := counted(r.Cap, strings.TrimSuffix(r.Unit, "s")), "-"
			switch {
			case r.Unit == "bytes":
				capacity = exactSize(r.Cap)
			case r.Depth == nil:
				capacity = "1 value"
			}
			if r.Depth != nil {
				depth = fmt.Sprintf("%d (%s)", *r.Depth, percent(*r.Depth, r.Cap))
			}
			state, _, _ := strings.Cut(r.State, ":")
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", printable(r.Name), r.Kind, r.Payload, capacity,
				depth, state, *r.Alive, *r.Dead, roughSize(uint64(r.Size)))
		}
		for _, r := range rings {
			if r.Error != "" {
				fmt.Fprintf(w, "%s: %s\n", printable(r.Name), r.Error)
			}
		}
	})
}
