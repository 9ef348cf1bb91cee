package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ringway/bench"
	"ringway/bench/report"
)

// readReports reads the files that --with names, before anything is measured.
func readReports(paths []string) (reports []*bench.Report, err error) {
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("--with: %w", err)
		}
		r, err := report.Read(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("--with %s: %w", path, err)
		}
		reports = append(reports, r)
	}
	return reports, nil
}

// draw writes the page and the plots, if they were asked for.
func (o *benchOptions) draw(reports []*bench.Report) error {
	if o.html != "" {
		err := replaceFile(o.html, func(w io.Writer) error { return report.HTML(w, reports...) })
		if err != nil {
			return err
		}
	}
	if o.plots == "" {
		return nil
	}
	plots, err := report.Plots(reports...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.plots, 0o777); err != nil {
		return err
	}
	for _, p := range plots {
		err := replaceFile(filepath.Join(o.plots, p.Name+".svg"), func(w io.Writer) error {
			_, err := io.WriteString(w, p.SVG)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// replaceFile writes a file whole or not at all. What is no regular file, such as /dev/stdout, is written to as it is.
func replaceFile(path string, write func(io.Writer) error) error {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
