//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// sample is one line of the file that makes a run resumable: a sample that counts, or one that failed.
type sample struct {
	Group  string  `json:"group"`
	Peer   string  `json:"peer"`
	Regime string  `json:"regime,omitempty"` // placement class, or - where somebody sleeps
	Ns     float64 `json:"ns,omitempty"`     // per element or round trip
	Probe  float64 `json:"probe,omitempty"`  // raw round trip of two lines right after, ns
	N      int     `json:"n"`
	Round  int     `json:"round"`
	Failed string  `json:"failed,omitempty"`
}

// journal is that file. Its first line says what was measured where: samples of another build or machine are not continued.
type journal struct {
	f       *os.File
	samples []sample
}

type head struct {
	Build   string `json:"build"`
	Machine string `json:"machine"`
	Begun   string `json:"begun"`
}

// openJournal continues the file if its head is that of this run, and else begins it anew. It reports the head that holds.
func openJournal(path string, h head) (*journal, head, error) {
	j := &journal{}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, h, fmt.Errorf("peers: no place for the samples: %w", err)
	}
	j.f = f
	var old head
	good := int64(0) // bytes of whole lines
	r := bufio.NewReader(f)
	line, err := r.ReadBytes('\n')
	if err == nil && json.Unmarshal(line, &old) == nil && old.Build == h.Build && old.Machine == h.Machine {
		for good = int64(len(line)); ; good += int64(len(line)) {
			var s sample
			if line, err = r.ReadBytes('\n'); err != nil || json.Unmarshal(line, &s) != nil {
				break // the end, or a line that was cut off
			}
			j.samples = append(j.samples, s)
		}
		h = old
	}
	if err := errors.Join(f.Truncate(good), seekEnd(f)); err != nil {
		return nil, h, err
	}
	if good == 0 {
		return j, h, j.write(h)
	}
	return j, h, nil
}

func seekEnd(f *os.File) error {
	_, err := f.Seek(0, 2)
	return err
}

func (j *journal) write(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = j.f.Write(append(b, '\n'))
	return err
}

func (j *journal) add(s sample) error {
	j.samples = append(j.samples, s)
	return j.write(s)
}

// of returns the samples of a group.
func (j *journal) of(group string) (ss []sample) {
	for _, s := range j.samples {
		if s.Group == group {
			ss = append(ss, s)
		}
	}
	return ss
}
