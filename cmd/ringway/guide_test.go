package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every command in the guide is one that there is, with flags that it has.
func TestGuideCommandsExist(t *testing.T) {
	text, err := os.ReadFile("../../docs/GUIDE.md")
	if err != nil {
		t.Fatal(err)
	}
	lab := map[string]bool{}
	commands := regexp.MustCompile("(?m)(?:^|[`$|;] ?)ringway ([^`|;&>:\n]*)(?:$|[`|;&>])").FindAllStringSubmatch(string(text), -1)
	for _, m := range commands {
		root := rootCmd()
		c, rest, err := root.Find(strings.Fields(m[1]))
		if err != nil || c == root {
			t.Errorf("the guide says %q, which is no command: %v", m[0], err)
			continue
		}
		for i, word := range rest {
			if word == "M" || word == "FILE" { // stands for a value
				rest[i] = "1"
			}
		}
		if err := c.ParseFlags(rest); err != nil {
			t.Errorf("the guide says %q: %v", m[0], err)
		}
		if c.Parent().Name() == "lab" {
			lab[c.Name()] = true
		}
	}
	for _, c := range labCmd().Commands() {
		if !c.Hidden && !lab[c.Name()] {
			t.Errorf("the guide does not show lab %s", c.Name())
		}
	}
	if len(commands) < 20 {
		t.Errorf("only %d commands found in the guide", len(commands))
	}
}
