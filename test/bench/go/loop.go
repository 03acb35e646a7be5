// A single-threaded event loop over epoll: upstream and clients share it, so that one thread on one core does all the
// timing. Timers are as fine as the kernel's (epoll_pwait2), which the Go runtime's are not.
package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

const (
	sysEpollPwait2   = 441 // the same number on amd64 and arm64
	prSetTimerslack  = 29
	maxReadyPerRound = 256
)

// source is a descriptor's owner.
type source interface {
	onReady(events uint32)
}

// timed is a timer's owner; due is the moment that was asked for.
type timed interface {
	onTimer(due int64)
}

type timer struct {
	due   int64
	owner timed
}

type loop struct {
	epoll   int
	sources []source
	timers  []timer
	stopped bool
}

func newLoop() (*loop, error) {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	syscall.RawSyscall(syscall.SYS_PRCTL, prSetTimerslack, 1, 0)
	return &loop{epoll: epoll}, nil
}

func (l *loop) watch(fd int, events uint32, owner source) {
	for len(l.sources) <= fd {
		l.sources = append(l.sources, nil)
	}
	operation := syscall.EPOLL_CTL_MOD
	if l.sources[fd] == nil {
		operation = syscall.EPOLL_CTL_ADD
	}
	l.sources[fd] = owner
	event := syscall.EpollEvent{Events: events, Fd: int32(fd)}
	if err := syscall.EpollCtl(l.epoll, operation, fd, &event); err != nil {
		fmt.Fprintf(os.Stderr, "epoll_ctl: %v\n", err)
	}
}

// drop closes a descriptor and forgets its owner.
func (l *loop) drop(fd int) {
	if fd < 0 || fd >= len(l.sources) || l.sources[fd] == nil {
		return
	}
	l.sources[fd] = nil
	syscall.Close(fd)
}

// at calls owner.onTimer once the clock has reached due.
func (l *loop) at(due int64, owner timed) {
	l.timers = append(l.timers, timer{due, owner})
	for i := len(l.timers) - 1; i > 0; {
		parent := (i - 1) / 2
		if l.timers[parent].due <= l.timers[i].due {
			break
		}
		l.timers[parent], l.timers[i] = l.timers[i], l.timers[parent]
		i = parent
	}
}

func (l *loop) popTimer() timer {
	first := l.timers[0]
	last := len(l.timers) - 1
	l.timers[0] = l.timers[last]
	l.timers[last] = timer{}
	l.timers = l.timers[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if l.timers[child].due < l.timers[least].due {
				least = child
			}
		}
		if least == i {
			return first
		}
		l.timers[least], l.timers[i] = l.timers[i], l.timers[least]
		i = least
	}
}

// run serves until stopped is set.
func (l *loop) run() {
	ready := make([]syscall.EpollEvent, maxReadyPerRound)
	for !l.stopped {
		count := l.wait(ready)
		for _, event := range ready[:count] {
			if owner := l.sources[event.Fd]; owner != nil {
				owner.onReady(event.Events)
			}
			// Reading a busy round must not make the events late that are due meanwhile.
			l.fireDue()
		}
		l.fireDue()
	}
}

func (l *loop) fireDue() {
	for len(l.timers) > 0 && l.timers[0].due <= now() {
		next := l.popTimer()
		next.owner.onTimer(next.due)
	}
}

func (l *loop) wait(ready []syscall.EpollEvent) int {
	timeout := syscall.NsecToTimespec(int64(1e8))
	if len(l.timers) > 0 {
		timeout = syscall.NsecToTimespec(min(max(l.timers[0].due-now(), 0), int64(1e8)))
	}
	count, _, errno := syscall.Syscall6(sysEpollPwait2, uintptr(l.epoll), uintptr(unsafe.Pointer(&ready[0])),
		uintptr(len(ready)), uintptr(unsafe.Pointer(&timeout)), 0, 0)
	if errno == syscall.EINTR {
		return 0
	}
	if errno != 0 {
		fmt.Fprintf(os.Stderr, "Cannot wait for events: %v (Linux 5.11 or later is needed)\n", errno)
		os.Exit(1)
	}
	return int(count)
}
