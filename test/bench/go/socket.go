// Non-blocking TCP sockets on the loopback address, with a buffer for what the kernel does not take at once.
package main

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

const (
	readable = uint32(syscall.EPOLLIN)
	writable = uint32(syscall.EPOLLOUT)
	broken   = uint32(syscall.EPOLLERR | syscall.EPOLLHUP)
	backlog  = 4096
)

var errEnded = errors.New("the other side closed")

// readBuffer is shared: the loop is one thread and nobody keeps what was read.
var readBuffer = make([]byte, 256<<10)

type socket struct {
	loop    *loop
	fd      int
	pending []byte
	paused  bool
}

func address(at netip.AddrPort) *syscall.SockaddrInet4 {
	return &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
}

func listenOn(at netip.AddrPort) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return -1, err
	}
	if err := syscall.Bind(fd, address(at)); err != nil {
		return -1, fmt.Errorf("cannot listen on %s: %w", at, err)
	}
	return fd, syscall.Listen(fd, backlog)
}

// connectTo begins a connection; it is there once the socket is writable.
func connectTo(at netip.AddrPort) (int, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	noDelay(fd)
	if err := syscall.Connect(fd, address(at)); err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

func noDelay(fd int) { _ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) }

func (s *socket) interest(owner source) {
	events := readable
	if s.paused {
		events = 0
	}
	if len(s.pending) > 0 {
		events |= writable
	}
	s.loop.watch(s.fd, events, owner)
}

// send writes data; what the kernel does not take waits for flush.
func (s *socket) send(owner source, data []byte) error {
	if len(s.pending) > 0 {
		s.pending = append(s.pending, data...)
		return nil
	}
	written, err := syscall.Write(s.fd, data)
	if err != nil && err != syscall.EAGAIN {
		return err
	}
	if written = max(written, 0); written < len(data) {
		s.pending = append(s.pending, data[written:]...)
		s.interest(owner)
	}
	return nil
}

func (s *socket) flush(owner source) error {
	written, err := syscall.Write(s.fd, s.pending)
	if err == syscall.EAGAIN {
		return nil
	}
	if err != nil {
		return err
	}
	if s.pending = s.pending[written:]; len(s.pending) == 0 {
		s.pending = nil
		s.interest(owner)
	}
	return nil
}

// receive reads what is there into the shared buffer; nil when nothing is.
func (s *socket) receive() ([]byte, error) {
	count, err := syscall.Read(s.fd, readBuffer)
	if err == syscall.EAGAIN || err == syscall.EINTR {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if count == 0 {
		return nil, errEnded
	}
	return readBuffer[:count], nil
}

func (s *socket) close() {
	s.loop.drop(s.fd)
	s.fd = -1
}
