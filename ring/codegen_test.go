package ring_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// The Go memory model does not promise that a plain store is published after the
// payload's. This test proves it of the machine code that was built: in every
// busy-path function the publishing store is the one instruction it should be, and no
// instruction that belongs to a source line touching the payload can run after it.
func TestPublishingStoreComesLast(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs; skipped with -short")
	}
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) { checkCodegen(t, arch, "") })
	}
	t.Run("amd64/ringway_sc", func(t *testing.T) { checkCodegen(t, "amd64", "ringway_sc") })
}

// busyPaths are the functions to look at, and how many instantiations there must be.
var busyPaths = []struct {
	name string
	min  int
}{
	{`\(\*Producer\[.*\]\)\.TryPush`, 5},
	{`\(\*Producer\[.*\]\)\.TryPushN`, 5},
	{`\(\*Producer\[.*\]\)\.Commit`, 5},
	{`\(\*Consumer\[.*\]\)\.TryPop`, 5},
	{`\(\*Consumer\[.*\]\)\.TryPopN`, 5},
	{`\(\*Consumer\[.*\]\)\.Release`, 5},
	{`\(\*spscProducer\)\.publish`, 1},
	{`\(\*spscConsumer\)\.publish`, 1},
	{`\(\*MsgProducer\)\.TryPush`, 1},
	{`\(\*MsgProducer\)\.finish`, 1},
	{`\(\*MsgConsumer\)\.TryPop`, 1},
}

// inlined are those that must hold the publishing store themselves.
var inlined = regexp.MustCompile(`\]\)\.(TryPush|TryPop|Commit|Release)$|\)\.publish$`)

// payloadLine matches the source lines that read or write a slot or a record.
var payloadLine = regexp.MustCompile(`\*\w+\.slots\.at\(|slots\.put\(|\*to = \*v|unsafe\.Pointer\(to\), i\)|copy\(|deposit\(|storeWord\(|append\(dst`)

func checkCodegen(t *testing.T, arch, tags string) {
	bin := filepath.Join(t.TempDir(), "probe")
	build := exec.Command("go", "build", "-tags", tags, "-o", bin, "ringway/internal/codegen/probe")
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	out, err := exec.Command("go", "tool", "objdump", "-s", `^ringway/ring\.`, bin).Output()
	if err != nil {
		t.Fatalf("go tool objdump: %v", err)
	}
	funcs := parseDump(t, out)
	publishing := map[string]string{"amd64": "MOVQ", "arm64": "STLR"}[arch]
	if tags == "ringway_sc" {
		publishing = "XCHGQ"
	}
	sources := sourceLines(t)
	checked := 0
	for _, want := range busyPaths {
		re := regexp.MustCompile(`^ringway/ring\.` + want.name + `$`)
		n := 0
		for name, code := range funcs {
			if re.MatchString(name) {
				n++
				checked++
				for _, problem := range checkFunction(name, code, publishing, sources) {
					t.Error(problem)
				}
			}
		}
		if n < want.min {
			t.Errorf("found %d functions like %s, want at least %d", n, want.name, want.min)
		}
	}
	t.Logf("%s %s: %d functions, %s publishes", arch, tags, checked, publishing)
}

type instruction struct {
	file, addr, text string
	line             int
}

var dumpLine = regexp.MustCompile(`^\s+(\S+\.go|\S+\.s):(\d+)\s+(0x[0-9a-f]+)\s+[0-9a-f]+\s+(.*?)\s*$`)

func parseDump(t *testing.T, dump []byte) map[string][]instruction {
	funcs := map[string][]instruction{}
	name := ""
	sc := bufio.NewScanner(bytes.NewReader(dump))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		if rest, ok := strings.CutPrefix(sc.Text(), "TEXT "); ok {
			name = rest[:strings.Index(rest, "(SB)")]
			continue
		}
		if m := dumpLine.FindStringSubmatch(sc.Text()); m != nil {
			ins := instruction{file: m[1], addr: m[3], text: m[4]}
			fmt.Sscan(m[2], &ins.line)
			funcs[name] = append(funcs[name], ins)
		}
	}
	if len(funcs) == 0 {
		t.Fatal("objdump printed no functions")
	}
	return funcs
}

// sourceLines returns which lines of package ring touch the payload.
func sourceLines(t *testing.T) map[string]bool {
	_, self, _, _ := runtime.Caller(0)
	files, err := filepath.Glob(filepath.Join(filepath.Dir(self), "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no sources beside %s: %v", self, err)
	}
	lines := map[string]bool{}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range strings.Split(string(text), "\n") {
			if payloadLine.MatchString(l) && !strings.HasPrefix(strings.TrimSpace(l), "//") {
				lines[fmt.Sprintf("%s:%d", filepath.Base(f), i+1)] = true
			}
		}
	}
	return lines
}

func checkFunction(name string, code []instruction, publishing string, payload map[string]bool) (problems []string) {
	at := map[string]int{}
	for i, ins := range code {
		at[ins.addr] = i
	}
	stores := 0
	for i, ins := range code {
		store := strings.HasPrefix(ins.file, "store_")
		call := strings.HasPrefix(ins.text, "CALL") && strings.Contains(ins.text, ").publish(SB)") || // amd64
			strings.HasPrefix(ins.text, "CALL") && strings.Contains(ins.text, ").finish(SB)")
		if store && touchesMemory(ins.text) {
			stores++
			if op := strings.Fields(ins.text)[0]; op != publishing {
				problems = append(problems, fmt.Sprintf("%s: published by %q, want %s", name, ins.text, publishing))
			}
		} else if !call {
			continue
		}
		for _, j := range reachable(code, at, i) {
			after := code[j]
			if payload[fmt.Sprintf("%s:%d", after.file, after.line)] && touchesMemory(after.text) {
				problems = append(problems, fmt.Sprintf("%s: %s:%d %q touches the payload after it was published at %s", name, after.file, after.line, after.text, ins.addr))
			}
		}
	}
	if inlined.MatchString(name) && stores == 0 {
		problems = append(problems, name+": no inlined publishing store")
	}
	return problems
}

// The check itself must be able to fail.
func TestCodegenCheckSeesMutants(t *testing.T) {
	payload := map[string]bool{"producer.go:73": true}
	good := `TEXT ringway/ring.(*Producer[go.shape.uint64]).TryPush(SB) producer.go
  producer.go:66	0x10	00	JE 0x40
  producer.go:73	0x20	00	MOVQ CX, 0(DI)(R8*8)
  store_plain.go:29	0x30	00	MOVQ SI, 0(CX)
  producer.go:83	0x40	00	RET
`
	swap := strings.NewReplacer("producer.go:73", "store_plain.go:29", "store_plain.go:29", "producer.go:73")
	for _, m := range []struct {
		name, dump string
		problems   int
	}{
		{"as it should be", good, 0},
		{"payload behind the publish", swap.Replace(good), 1},
		{"payload behind the publish, round a loop", strings.Replace(good, "RET", "JMP 0x20", 1), 1},
		{"a locked instruction", strings.Replace(good, "MOVQ SI", "XCHGQ SI", 1), 1},
		{"not inlined", strings.Replace(good, "store_plain.go:29", "producer.go:79", 1), 1},
	} {
		for name, code := range parseDump(t, []byte(m.dump)) {
			if got := checkFunction(name, code, "MOVQ", payload); len(got) != m.problems {
				t.Errorf("%s: %d problems %q, want %d", m.name, len(got), got, m.problems)
			}
		}
	}
}

// touchesMemory tells instructions that reach other memory than the stack.
func touchesMemory(text string) bool {
	if strings.HasPrefix(text, "CALL") {
		return strings.Contains(text, "memmove") || strings.Contains(text, "duffcopy") || strings.Contains(text, "typedmemmove")
	}
	if strings.HasPrefix(text, "REP") {
		return true
	}
	if !strings.Contains(text, "(") || strings.HasPrefix(text, "LEA") || strings.HasPrefix(text, "J") || strings.HasPrefix(text, "B") {
		return false
	}
	return !regexp.MustCompile(`\((SP|RSP)\)`).MatchString(text)
}

var (
	target   = regexp.MustCompile(`^(J\w+|B\w*|CBN?Z\w*|TBN?Z)\s.*?(0x[0-9a-f]+)$|^(J\w+|B\w*|CBN?Z\w*|TBN?Z)\s+(?:.*, )?(-?\d+)\(PC\)$`)
	branches = regexp.MustCompile(`^(J[A-Z]+|BEQ|BNE|BLT|BLE|BGT|BGE|BHS|BLO|BHI|BLS|BCS|BCC|BMI|BPL|CBZ\w?|CBNZ\w?|TBZ|TBNZ|B|JMP)\b`)
	endings  = regexp.MustCompile(`^(RET|JMP|B)\b`)
)

// reachable returns the instructions that can run after instruction i.
func reachable(code []instruction, at map[string]int, i int) []int {
	seen := map[int]bool{}
	var todo []int
	next := func(k int) {
		text := code[k].text
		if branches.MatchString(text) {
			if m := target.FindStringSubmatch(text); m != nil {
				if j, ok := at[m[2]]; ok && m[2] != "" {
					todo = append(todo, j)
				} else if m[4] != "" {
					var d int
					fmt.Sscan(m[4], &d)
					if k+d >= 0 && k+d < len(code) {
						todo = append(todo, k+d)
					}
				}
			}
		}
		if !endings.MatchString(text) && k+1 < len(code) {
			todo = append(todo, k+1)
		}
	}
	next(i)
	var out []int
	for len(todo) > 0 {
		k := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !seen[k] && k != 0 { // entry 0 is only reached by the stack-growth retry
			seen[k] = true
			out = append(out, k)
			next(k)
		}
	}
	return out
}
