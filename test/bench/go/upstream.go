// The scripted upstream: answers each request in the dialect of its path, with what its x-bench header asks for, by schedule.
package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
)

const (
	streamHead = "HTTP/1.1 200 OK\r\ndate: Sat, 01 Jan 2028 00:00:00 GMT\r\ncontent-type: text/event-stream; charset=utf-8\r\n" +
		"transfer-encoding: chunked\r\ncache-control: no-cache\r\nrequest-id: req_bench0000000000000000\r\n" +
		"anthropic-ratelimit-requests-limit: 4000\r\nanthropic-ratelimit-requests-remaining: 3999\r\n" +
		"anthropic-organization-id: 00000000-0000-4000-8000-000000000000\r\n\r\n"
	jsonHead = "HTTP/1.1 200 OK\r\ndate: Sat, 01 Jan 2028 00:00:00 GMT\r\ncontent-type: application/json\r\n" +
		"content-length: %d\r\nrequest-id: req_bench0000000000000000\r\n\r\n"
	notFound            = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
	messagesPath        = "/v1/messages"
	floodWrite          = 32 << 10
	floodWritesPerRound = 4
)

// upstream is the listener.
type upstream struct {
	bench *bench
	fd    int
	json  []byte
}

func (u *upstream) onReady(uint32) {
	for {
		fd, _, err := syscall.Accept4(u.fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		noDelay(fd)
		conn := &upstreamConn{bench: u.bench, upstream: u, socket: socket{loop: u.bench.loop, fd: fd}}
		conn.interest(conn)
	}
}

// upstreamConn serves one connection, one request at a time.
type upstreamConn struct {
	socket
	bench    *bench
	upstream *upstream
	in       []byte
	request  *head
	body     body
	// Of the stream that is running.
	form      *wireForm
	streaming bool
	number    uint32
	limit     uint32
	flood     int64
	floodSize int64
	out       []byte
}

func (c *upstreamConn) onReady(events uint32) {
	if events&writable != 0 && c.proceed() != nil {
		c.close()
		return
	}
	if events&(readable|broken) == 0 {
		return
	}
	data, err := c.receive()
	if err == nil && data != nil {
		err = c.take(data)
	}
	if err != nil {
		c.close()
	}
}

func (c *upstreamConn) proceed() error {
	if len(c.pending) > 0 {
		if err := c.flush(c); err != nil {
			return err
		}
	}
	if c.flood > 0 {
		return c.pour()
	}
	return nil
}

func (c *upstreamConn) take(data []byte) error {
	for len(data) > 0 {
		var err error
		if c.request == nil {
			c.in = append(c.in, data...)
			if c.request, data, err = takeHead(c.in); err != nil || c.request == nil {
				return err
			}
			if c.body, err = openBody(c.request, false); err != nil {
				return err
			}
		}
		if data, err = c.body.feed(data, func([]byte) error { return nil }); err != nil {
			return err
		}
		if c.body.step != bodyDone {
			return nil
		}
		request := c.request
		data = append([]byte(nil), data...)
		c.in, c.request = c.in[:0], nil
		if err = c.reply(request); err != nil {
			return err
		}
	}
	return nil
}

// reply answers one request. Subjects that send no header of the client's get what the plan says; what they ask for beside
// the conversation (a list of models) is not here.
func (c *upstreamConn) reply(request *head) error {
	method, rest, _ := strings.Cut(request.first, " ")
	target, _, _ := strings.Cut(rest, " ")
	path, _, _ := strings.Cut(target, "?")
	if method != "POST" || (path != messagesPath && path != chatPath) {
		return c.send(c, []byte(notFound))
	}
	c.form = formOf(path)
	wish := request.fields["x-bench"]
	if wish == "" {
		wish = c.bench.wish()
	}
	return c.answer(wish)
}

// answer begins what is asked for: events=N (0: until the run ends), flood=BYTES or json=BYTES.
func (c *upstreamConn) answer(wish string) error {
	kind, text, _ := strings.Cut(wish, "=")
	value, _ := strconv.ParseInt(text, 10, 64)
	switch kind {
	case "events":
		return c.openStream(uint32(value))
	case "flood":
		c.flood = value
		c.floodSize = value
		if err := c.openStream(0); err != nil {
			return err
		}
		return c.pour()
	default:
		return c.send(c, c.upstream.jsonAnswer(int(value)))
	}
}

func (u *upstream) jsonAnswer(size int) []byte {
	if len(u.json) == 0 || !strings.Contains(string(u.json[:300]), fmt.Sprintf("content-length: %d\r\n", size)) {
		before := `{"id":"msg_bench","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"`
		after := `"}],"stop_reason":"end_turn","usage":{"input_tokens":412,"output_tokens":1800}}`
		filler := strings.Repeat("word ", size/5+1)[:max(size-len(before)-len(after), 0)]
		text := before + filler + after
		u.json = append(fmt.Appendf(nil, jsonHead, len(text)), text...)
	}
	return u.json
}

func (c *upstreamConn) openStream(limit uint32) error {
	c.streaming, c.number, c.limit = true, 0, limit
	c.out = append(c.out[:0], streamHead...)
	for _, event := range c.form.opening {
		c.out = appendChunk(c.out, event)
	}
	if c.flood == 0 {
		// A phase of its own keeps streams that were opened together from beating together.
		c.bench.loop.at(now()+int64(rand.Float64()*float64(c.bench.intervalNs)), c)
	}
	return c.send(c, c.out)
}

func (c *upstreamConn) onTimer(due int64) {
	if c.fd < 0 || !c.streaming {
		return
	}
	sentAt := now()
	c.bench.lag.record(sentAt - due)
	c.out = c.form.appendDelta(c.out[:0], c.number, sentAt)
	c.number++
	err := c.send(c, c.out)
	if err == nil && (c.number == c.limit || due >= c.bench.streamsEnd) {
		err = c.finish()
	} else if err == nil {
		c.bench.loop.at(due+c.bench.intervalNs, c)
	}
	if err != nil {
		c.close()
	}
}

func (c *upstreamConn) finish() error {
	c.streaming = false
	c.out = c.out[:0]
	if c.bench.plan.Reader == readMeaning {
		// A reader that goes by meaning would not miss the last ones otherwise.
		c.out = c.form.appendDelta(c.out, lastNumber, int64(c.number))
	}
	for _, event := range c.form.closing {
		c.out = appendChunk(c.out, event)
	}
	return c.send(c, append(c.out, "0\r\n\r\n"...))
}

// pour writes deltas as fast as the other side takes them, some writes a round so that reading is not starved.
func (c *upstreamConn) pour() error {
	for range floodWritesPerRound {
		if len(c.pending) > 0 || c.flood <= 0 {
			break
		}
		c.out = c.out[:0]
		for len(c.out) < floodWrite {
			c.out = c.form.appendDelta(c.out, c.number, now())
			c.number++
		}
		c.flood -= int64(len(c.out))
		c.bench.poured += int64(len(c.out))
		if err := c.send(c, c.out); err != nil {
			return err
		}
	}
	if c.flood <= 0 && c.streaming {
		return c.finish()
	}
	if len(c.pending) == 0 && c.streaming {
		c.loop.watch(c.fd, readable|writable, c)
	}
	return nil
}
