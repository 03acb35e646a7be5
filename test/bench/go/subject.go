// What the subject costs, as the kernel counts it: processor time, memory and descriptors of a process and its children.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

const ticksPerSecond = 100 // USER_HZ, the same on every Linux that Go supports

type subject struct {
	root int
	pids []int
}

// usage is what was spent up to one moment; processor times are seconds.
type usage struct {
	at          int64
	user        float64
	system      float64
	rss         int64
	peak        int64
	descriptors int
	own         float64
	machine     float64
	steal       float64
}

// find looks for the children once, as a walk through /proc is too slow for the measured window.
func (s *subject) find() {
	s.pids = s.pids[:0]
	if s.root == 0 {
		return
	}
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if fields := statFields(pid); len(fields) > 1 {
			parent, _ := strconv.Atoi(fields[1])
			children[parent] = append(children[parent], pid)
		}
	}
	s.pids = append(s.pids, s.root)
	for i := 0; i < len(s.pids); i++ {
		s.pids = append(s.pids, children[s.pids[i]]...)
	}
}

// statFields are those of /proc/PID/stat from the state on, which is field 3.
func statFields(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

func (s *subject) usage() usage {
	u := usage{at: now(), rss: s.rss(), peak: s.memory("VmHWM:"), descriptors: s.descriptors()}
	for _, pid := range s.pids {
		if fields := statFields(pid); len(fields) > 12 {
			user, _ := strconv.ParseFloat(fields[11], 64)
			system, _ := strconv.ParseFloat(fields[12], 64)
			u.user += user / ticksPerSecond
			u.system += system / ticksPerSecond
		}
	}
	var own syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &own)
	u.own = float64(own.Utime.Nano()+own.Stime.Nano()) / 1e9
	u.machine, u.steal = machineTimes()
	return u
}

// machineTimes are the seconds that all cores spent in processes, and those that the hypervisor took.
func machineTimes() (busy, steal float64) {
	text, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return 0, 0
	}
	for _, index := range []int{1, 2, 3} {
		value, _ := strconv.ParseFloat(fields[index], 64)
		busy += value / ticksPerSecond
	}
	steal, _ = strconv.ParseFloat(fields[8], 64)
	return busy, steal / ticksPerSecond
}

func (s *subject) rss() int64 { return s.memory("VmRSS:") }

// memory sums one field of /proc/PID/status, in bytes.
func (s *subject) memory(name string) int64 {
	sum := int64(0)
	for _, pid := range s.pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		_, after, _ := strings.Cut(string(text), name)
		line, _, _ := strings.Cut(after, "\n")
		if fields := strings.Fields(line); len(fields) > 0 {
			value, _ := strconv.ParseInt(fields[0], 10, 64)
			sum += value << 10
		}
	}
	return sum
}

func (s *subject) descriptors() int {
	count := 0
	for _, pid := range s.pids {
		entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		count += len(entries)
	}
	return count
}
