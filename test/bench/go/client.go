// The client side: one connection, one request at a time, each answer checked byte by byte and timed.
package main

import (
	"errors"
	"fmt"
	"strings"
)

// reader takes the body of one stream and tells each event.
type reader interface {
	reset()
	feed(data []byte) error
	// whole says whether the stream came to its proper end.
	whole() bool
	count() uint32
}

const prompt = "Summarise the following notes in plain words and keep every number. "

type clientConn struct {
	socket
	bench     *bench
	connected bool
	busy      bool
	in        []byte
	answer    *head
	body      body
	events    reader
	stream    bool
	first     bool
	sentAt    int64
	arrivedAt int64
	// Stop reading after this many bytes of the answer; 0 = read all.
	stallAfter int64
	got        int64
	wish       string
	onDone     func(*clientConn)
}

func request(host, wish string, stream bool) []byte {
	text := fmt.Sprintf(`{"model":"claude-sonnet-4-5","max_tokens":1024,"stream":%t,"messages":[{"role":"user","content":"%s"}]}`,
		stream, strings.Repeat(prompt, 12))
	return fmt.Appendf(nil, "POST /v1/messages HTTP/1.1\r\nhost: %s\r\naccept: application/json\r\nuser-agent: sluice-bench/1\r\n"+
		"content-type: application/json\r\nanthropic-version: 2023-06-01\r\nx-api-key: bench-not-a-key\r\nx-stainless-lang: js\r\n"+
		"x-bench: %s\r\ncontent-length: %d\r\n\r\n%s", host, wish, len(text), text)
}

func newClientConn(b *bench, fd int) *clientConn {
	c := &clientConn{bench: b, onDone: b.finished, socket: socket{loop: b.loop, fd: fd}}
	if b.plan.Reader == readMeaning {
		c.events = &meaningReader{onEvent: c.onEvent}
	} else {
		c.events = &eventReader{onEvent: c.onEvent}
	}
	return c
}

// start sends a request once the connection is there.
func (c *clientConn) start(wish string) {
	c.wish, c.busy, c.first, c.got = wish, true, true, 0
	c.stream = !strings.HasPrefix(wish, "json")
	c.events.reset()
	c.bench.open++
	if c.connected {
		c.sendRequest()
	}
}

func (c *clientConn) sendRequest() {
	c.sentAt = now()
	if err := c.send(c, request(c.bench.target.String(), c.wish, c.stream)); err != nil {
		c.fail(err)
	}
}

func (c *clientConn) onReady(events uint32) {
	if events&writable != 0 {
		if !c.connected {
			c.connected = true
			c.interest(c)
			if c.busy {
				c.sendRequest()
			}
		} else if len(c.pending) > 0 {
			if err := c.flush(c); err != nil {
				c.fail(err)
				return
			}
		}
	}
	if events&(readable|broken) == 0 || c.fd < 0 {
		return
	}
	data, err := c.receive()
	c.arrivedAt = now()
	if err == nil && data != nil {
		err = c.take(data)
	}
	if err != nil {
		c.fail(err)
	}
}

func (c *clientConn) take(data []byte) error {
	if !c.busy {
		return errors.New("bytes without a request")
	}
	if c.answer == nil {
		c.in = append(c.in, data...)
		var err error
		if c.answer, data, err = takeHead(c.in); err != nil || c.answer == nil {
			return err
		}
		c.in = c.in[:0]
		if !strings.HasPrefix(c.answer.first, "HTTP/1.1 200") {
			return fmt.Errorf("answered %q", c.answer.first)
		}
		if c.body, err = openBody(c.answer, true); err != nil {
			return err
		}
	}
	rest, err := c.body.feed(data, c.takeBody)
	if err != nil || c.body.step != bodyDone {
		return err
	}
	if len(rest) > 0 {
		return errors.New("bytes after the answer")
	}
	return c.done()
}

func (c *clientConn) takeBody(data []byte) error {
	c.got += int64(len(data))
	if c.bench.measuring {
		c.bench.bytes += int64(len(data))
	}
	if c.stallAfter > 0 && c.got > c.stallAfter && !c.paused {
		c.paused = true
		c.interest(c)
	}
	if !c.stream {
		return nil
	}
	return c.events.feed(data)
}

func (c *clientConn) onEvent(sentAt int64) {
	b := c.bench
	if c.first {
		c.first = false
		if b.measuring || b.plan.Shape == "steady" {
			b.firstEvent.record(c.arrivedAt - c.sentAt)
		}
	}
	if !b.measuring {
		return
	}
	b.events++
	if sentAt >= b.windowStart && c.stallAfter == 0 {
		b.delay.record(c.arrivedAt - sentAt)
	}
}

func (c *clientConn) done() error {
	if c.stream && !c.events.whole() {
		return fmt.Errorf("the framing ended after %d deltas, without the closing events", c.events.count())
	}
	if c.bench.measuring {
		c.bench.answers++
		if !c.stream {
			c.bench.firstEvent.record(c.arrivedAt - c.sentAt)
		}
	}
	closing := strings.EqualFold(c.answer.fields["connection"], "close")
	c.busy, c.answer = false, nil
	c.bench.open--
	if closing {
		c.close()
	}
	c.onDone(c)
	return nil
}

// fail counts what went wrong, unless it is an idle connection that the other side closed.
func (c *clientConn) fail(err error) {
	if c.fd < 0 {
		return
	}
	c.close()
	if !c.busy {
		return
	}
	c.busy = false
	c.bench.open--
	if c.stallAfter == 0 || !c.bench.over {
		c.bench.fault(err)
	}
	c.onDone(c)
}
