// One run: opens streams as the plan says, measures inside the window, and sums up.
package main

import (
	"fmt"
	"net/netip"
)

const (
	second      = int64(1e9)
	sampleEvery = second / 2
	drainLimit  = 10 * second
	afterWait   = 2 * second
	keptFaults  = 5
)

// plan is one scenario; scenarios.ts holds them and says what each field means.
type plan struct {
	Name         string  `json:"name"`
	Shape        string  `json:"shape"`
	Streams      int     `json:"streams"`
	Rate         float64 `json:"eventsPerSecond"`
	Events       int     `json:"eventsPerStream"`
	PerSecond    float64 `json:"answersPerSecond"`
	FloodBytes   int64   `json:"floodBytes"`
	JSONBytes    int64   `json:"jsonBytes"`
	StalledBytes int64   `json:"stalledBytes"`
	StallAfter   int64   `json:"stallAfterBytes"`
	MaxOpen      int     `json:"maxOpen,omitempty"`
	Reader       string  `json:"reader,omitempty"`
	WarmSeconds  float64 `json:"warmSeconds"`
	RestSeconds  float64 `json:"restSeconds"`
	Seconds      float64 `json:"seconds"`
}

type bench struct {
	loop        *loop
	plan        plan
	target      netip.AddrPort
	subject     *subject
	intervalNs  int64
	windowStart int64
	windowEnd   int64
	streamsEnd  int64
	measuring   bool
	over        bool
	idle        []*clientConn
	all         []*clientConn
	stalled     *clientConn
	open        int
	opened      int
	answers     int
	heldBack    int
	events      int64
	bytes       int64
	poured      int64
	faults      int
	faultTexts  []string
	firstEvent  histogram
	delay       histogram
	lag         histogram
	started     usage
	ended       usage
	rssPeak     int64
}

func (b *bench) fault(err error) {
	b.faults++
	if len(b.faultTexts) < keptFaults {
		b.faultTexts = append(b.faultTexts, err.Error())
	}
}

type timerFunc func(due int64)

func (f timerFunc) onTimer(due int64) { f(due) }

func (b *bench) wish() string {
	if b.plan.JSONBytes > 0 {
		return fmt.Sprintf("json=%d", b.plan.JSONBytes)
	}
	return fmt.Sprintf("events=%d", b.plan.Events)
}

// begin schedules the whole run.
func (b *bench) begin() {
	if b.plan.Rate > 0 {
		b.intervalNs = int64(1e9 / b.plan.Rate)
	}
	begun := now() + second/10
	warm := int64(b.plan.WarmSeconds * 1e9)
	b.windowStart = begun + warm
	b.windowEnd = b.windowStart + int64(b.plan.Seconds*1e9)
	b.streamsEnd = b.windowEnd + second/10
	b.loop.at(begun+warm*8/10, timerFunc(func(int64) { b.subject.find() }))
	switch b.plan.Shape {
	case "flood":
		b.begins(begun, b.warmFlood)
		return
	case "steady":
		for i := range b.plan.Streams {
			b.begins(begun+warm*6/10*int64(i)/int64(b.plan.Streams), func(int64) { b.next() })
		}
	case "arrivals":
		b.begins(begun, b.arrive)
	case "one-by-one":
		b.begins(begun, func(int64) { b.next() })
	}
	b.begins(b.windowStart, func(int64) { b.openWindow() })
	b.begins(b.windowEnd, func(int64) { b.closeWindow() })
}

func (b *bench) begins(due int64, run func(int64)) { b.loop.at(due, timerFunc(run)) }

func (b *bench) arrive(due int64) {
	b.lag.record(now() - due)
	if b.plan.MaxOpen == 0 || b.open < b.plan.MaxOpen {
		b.next()
	} else if b.measuring {
		b.heldBack++
	}
	if following := due + int64(1e9/b.plan.PerSecond); following < b.windowEnd {
		b.begins(following, b.arrive)
	}
}

// next starts one request, on an idle connection if there is one.
func (b *bench) next() { b.ask(b.wish()) }

func (b *bench) ask(wish string) *clientConn {
	b.opened++
	for len(b.idle) > 0 {
		conn := b.idle[len(b.idle)-1]
		b.idle = b.idle[:len(b.idle)-1]
		if conn.fd >= 0 {
			conn.start(wish)
			return conn
		}
	}
	fd, err := connectTo(b.target)
	if err != nil {
		b.fault(err)
		return nil
	}
	conn := newClientConn(b, fd)
	b.all = append(b.all, conn)
	b.loop.watch(fd, writable, conn)
	conn.start(wish)
	return conn
}

func (b *bench) finished(conn *clientConn) {
	if conn.fd >= 0 {
		b.idle = append(b.idle, conn)
	}
	switch {
	case b.plan.Shape == "one-by-one" && now() < b.windowEnd && b.faults < keptFaults:
		b.begins(now()+second/200, func(int64) { b.next() })
	case b.plan.Shape == "flood" && !b.measuring && !b.over:
		b.measuredFlood()
	case b.plan.Shape == "flood" && b.measuring:
		b.windowEnd = now()
		b.closeWindow()
	}
}

func (b *bench) warmFlood(int64) {
	b.ask(fmt.Sprintf("flood=%d", b.plan.FloodBytes/4))
	b.begins(now()+60*second, func(int64) {
		if !b.over {
			b.fault(fmt.Errorf("the flood took longer than a minute"))
			b.closeWindow()
		}
	})
}

func (b *bench) measuredFlood() {
	b.subject.find()
	b.windowStart = now()
	b.openWindow()
	b.ask(fmt.Sprintf("flood=%d", b.plan.FloodBytes))
}

func (b *bench) openWindow() {
	b.started = b.subject.usage()
	b.rssPeak = b.started.rss
	b.lag = histogram{}
	b.measuring = true
	if b.plan.StalledBytes > 0 {
		b.stalled = b.ask(fmt.Sprintf("flood=%d", b.plan.StalledBytes))
		b.stalled.stallAfter = b.plan.StallAfter
	}
	b.sample(now())
}

func (b *bench) sample(int64) {
	if !b.measuring {
		return
	}
	b.rssPeak = max(b.rssPeak, b.subject.rss())
	b.begins(now()+sampleEvery, b.sample)
}

func (b *bench) closeWindow() {
	if b.over {
		return
	}
	b.ended = b.subject.usage()
	b.measuring = false
	b.over = true
	if b.stalled != nil && b.stalled.fd >= 0 {
		b.stalled.fail(errEnded)
	}
	b.awaitEnd(now())
}

// restTime is how long the subject is left alone before its memory is read for the last time.
func (b *bench) restTime() int64 {
	if b.plan.RestSeconds > 0 {
		return int64(b.plan.RestSeconds * 1e9)
	}
	return afterWait
}

// awaitEnd waits until each open stream has ended, and counts those that do not.
func (b *bench) awaitEnd(int64) {
	if b.open > 0 && now() < b.windowEnd+drainLimit {
		b.begins(now()+second/50, b.awaitEnd)
		return
	}
	for range b.open {
		b.fault(fmt.Errorf("a stream did not end within %d s", drainLimit/second))
	}
	for _, conn := range b.all {
		conn.close()
	}
	b.begins(now()+b.restTime(), func(int64) { b.loop.stopped = true })
}
