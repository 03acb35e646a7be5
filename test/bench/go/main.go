// Load generator and scripted upstream of Sluice's side-by-side measurement, in one process with one clock.
//
//	bench -upstream 127.0.0.1:PORT -target 127.0.0.1:PORT -pid PID -plan JSON
//
// It serves the upstream, drives the target, and prints what it saw as one JSON document.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
)

type report struct {
	Plan          plan    `json:"plan"`
	WindowSeconds float64 `json:"windowSeconds"`
	Opened        int     `json:"opened"`
	Answers       int     `json:"answers"`
	// Requests that were due in the window and not sent, as too many were open.
	HeldBack   int      `json:"heldBack,omitempty"`
	Events     int64    `json:"events"`
	Bytes      int64    `json:"bytes"`
	Errors     int      `json:"errors"`
	ErrorTexts []string `json:"errorTexts"`
	// Microseconds.
	FirstEvent summary      `json:"firstEventUs"`
	Delay      summary      `json:"delayUs"`
	Lag        summary      `json:"lagUs"`
	Subject    subjectUsage `json:"subject"`
	Rig        rigUsage     `json:"rig"`
	// Bytes that the upstream got rid of in floods.
	PouredBytes int64 `json:"pouredBytes"`
}

type subjectUsage struct {
	UserSeconds      float64 `json:"userSeconds"`
	SystemSeconds    float64 `json:"systemSeconds"`
	RssStartBytes    int64   `json:"rssStartBytes"`
	RssMostBytes     int64   `json:"rssMostBytes"`
	RssPeakBytes     int64   `json:"rssPeakBytes"`
	RssEndBytes      int64   `json:"rssEndBytes"`
	RssAfterBytes    int64   `json:"rssAfterBytes"`
	DescriptorsMost  int     `json:"descriptorsInWindow"`
	DescriptorsAfter int     `json:"descriptorsAfter"`
}

type rigUsage struct {
	CPUSeconds float64 `json:"cpuSeconds"`
	// Processor seconds of everything else on the machine, and those that the hypervisor took, inside the window.
	ForeignSeconds float64 `json:"foreignSeconds"`
	StealSeconds   float64 `json:"stealSeconds"`
}

func main() {
	upstreamAt := flag.String("upstream", "", "address to serve the scripted upstream on")
	targetAt := flag.String("target", "", "address to drive")
	pid := flag.Int("pid", 0, "process to measure, with its children; 0: none")
	planText := flag.String("plan", "", "the scenario, JSON")
	flag.Parse()
	if err := run(*upstreamAt, *targetAt, *pid, *planText); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(upstreamAt, targetAt string, pid int, planText string) error {
	// The timing thread shares its core with nobody of this process: no collector, no second thread.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(4 << 30)
	runtime.LockOSThread()
	limit := syscall.Rlimit{}
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	b, err := prepare(upstreamAt, targetAt, pid, planText)
	if err != nil {
		return err
	}
	b.begin()
	b.loop.run()
	return json.NewEncoder(os.Stdout).Encode(b.report())
}

func prepare(upstreamAt, targetAt string, pid int, planText string) (*bench, error) {
	listenAt, err := netip.ParseAddrPort(upstreamAt)
	if err != nil {
		return nil, fmt.Errorf("-upstream: %w", err)
	}
	target, err := netip.ParseAddrPort(targetAt)
	if err != nil {
		return nil, fmt.Errorf("-target: %w", err)
	}
	if !target.Addr().IsLoopback() || !listenAt.Addr().IsLoopback() {
		return nil, fmt.Errorf("Give loopback addresses: the load stays on this machine")
	}
	l, err := newLoop()
	if err != nil {
		return nil, err
	}
	b := &bench{loop: l, target: target, subject: &subject{root: pid}}
	if err := json.Unmarshal([]byte(planText), &b.plan); err != nil {
		return nil, fmt.Errorf("-plan: %w", err)
	}
	fd, err := listenOn(listenAt)
	if err != nil {
		return nil, err
	}
	l.watch(fd, readable, &upstream{bench: b, fd: fd})
	return b, nil
}

func (b *bench) report() report {
	before, after := b.started, b.ended
	used := after.user - before.user + after.system - before.system
	own := after.own - before.own
	return report{
		Plan:          b.plan,
		WindowSeconds: float64(b.windowEnd-b.windowStart) / 1e9,
		Opened:        b.opened,
		Answers:       b.answers,
		HeldBack:      b.heldBack,
		Events:        b.events,
		Bytes:         b.bytes,
		Errors:        b.faults,
		ErrorTexts:    b.faultTexts,
		FirstEvent:    b.firstEvent.summary(),
		Delay:         b.delay.summary(),
		Lag:           b.lag.summary(),
		PouredBytes:   b.poured,
		Subject: subjectUsage{
			UserSeconds:      after.user - before.user,
			SystemSeconds:    after.system - before.system,
			RssStartBytes:    before.rss,
			RssMostBytes:     b.rssPeak,
			RssPeakBytes:     after.peak,
			RssEndBytes:      after.rss,
			RssAfterBytes:    b.subject.rss(),
			DescriptorsMost:  after.descriptors,
			DescriptorsAfter: b.subject.descriptors(),
		},
		Rig: rigUsage{
			CPUSeconds:     own,
			ForeignSeconds: max(after.machine-before.machine-used-own, 0),
			StealSeconds:   after.steal - before.steal,
		},
	}
}
