package bench

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine describes in one line what every table must say: CPU, kernel, Go.
func Machine() string {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%s, %d CPUs, %s %s, %s %s", cpuModel(), runtime.NumCPU(), runtime.GOOS,
		strings.TrimSpace(string(kernel)), runtime.Version(), runtime.GOARCH)
}

// cpuModel joins the name with family and model: a hypervisor often shortens the name to that of the whole line.
func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "CPU unknown"
	}
	defer f.Close()
	v := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if k, x, ok := strings.Cut(s.Text(), ":"); ok {
			v[strings.TrimSpace(k)] = strings.TrimSpace(x)
		}
	}
	return fmt.Sprintf("%s (family %s, model %s)", v["model name"], v["cpu family"], v["model"])
}
