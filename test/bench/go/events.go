// The events of a stream in the shape that Anthropic's Messages API gives them, each with its number and send time, and
// the reader that checks every byte of them on arrival.
package main

import (
	"bytes"
	"fmt"
)

const (
	startHead = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_bench\",\"type\":\"message\"," +
		"\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null," +
		"\"usage\":{\"input_tokens\":412,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":1}}}\n\n"
	blockStart = "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0," +
		"\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
	deltaHead = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0," +
		"\"delta\":{\"type\":\"text_delta\",\"text\":\" "
	deltaTail = "\"}}\n\n"
	blockStop = "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
	lastDelta = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"," +
		"\"stop_sequence\":null},\"usage\":{\"output_tokens\":128}}\n\n"
	messageStop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"

	digits    = 8 + 1 + 16 // the event's number, a space, nanoseconds; in hexadecimal
	deltaSize = len(deltaHead) + digits + len(deltaTail)
)

var deltaPrefix = fmt.Sprintf("%x\r\n%s", deltaSize, deltaHead)

func appendChunk(out []byte, text string) []byte {
	out = fmt.Appendf(out, "%x\r\n", len(text))
	out = append(out, text...)
	return append(out, '\r', '\n')
}

func appendHex(out []byte, value uint64, width int) []byte {
	for shift := 4 * (width - 1); shift >= 0; shift -= 4 {
		out = append(out, "0123456789abcdef"[value>>shift&15])
	}
	return out
}

func parseHex(text []byte) (uint64, bool) {
	value := uint64(0)
	for _, digit := range text {
		switch {
		case digit >= '0' && digit <= '9':
			value = value<<4 | uint64(digit-'0')
		case digit >= 'a' && digit <= 'f':
			value = value<<4 | uint64(digit-'a'+10)
		default:
			return 0, false
		}
	}
	return value, true
}

// The other events, in the order in which they must come.
var opening = []string{startHead, blockStart}
var closing = []string{blockStop, lastDelta, messageStop}

// eventReader takes the body of one stream and tells each event. It accepts exactly what the upstream sends.
type eventReader struct {
	rest   []byte
	opened int
	closed int
	deltas uint32
	// Called with each delta's send time, and with 0 for any other event.
	onEvent func(sentAt int64)
}

func (r *eventReader) reset() {
	r.rest = r.rest[:0]
	r.opened, r.closed, r.deltas = 0, 0, 0
}

func (r *eventReader) count() uint32 { return r.deltas }

func (r *eventReader) whole() bool { return r.closed == len(closing) && len(r.rest) == 0 }

func (r *eventReader) feed(data []byte) error {
	if len(r.rest) > 0 {
		r.rest = append(r.rest, data...)
		data = r.rest
	}
	for {
		end := bytes.Index(data, []byte("\n\n"))
		if end < 0 {
			break
		}
		if err := r.take(data[:end+2]); err != nil {
			return err
		}
		data = data[end+2:]
	}
	r.rest = append(r.rest[:0], data...)
	return nil
}

func (r *eventReader) take(event []byte) error {
	if r.opened < len(opening) {
		if string(event) != opening[r.opened] {
			return fmt.Errorf("event %d of the opening differs", r.opened)
		}
		r.opened++
		r.onEvent(0)
		return nil
	}
	if r.closed == 0 && len(event) == deltaSize {
		return r.takeDelta(event)
	}
	if r.closed == len(closing) || string(event) != closing[r.closed] {
		return fmt.Errorf("event after delta %d differs", r.deltas)
	}
	r.closed++
	r.onEvent(0)
	return nil
}

func (r *eventReader) takeDelta(event []byte) error {
	values := event[len(deltaHead):]
	number, ok := parseHex(values[:8])
	sentAt, okTime := parseHex(values[9:digits])
	if !ok || !okTime || string(event[:len(deltaHead)]) != deltaHead || string(values[digits:]) != deltaTail {
		return fmt.Errorf("delta %d differs", r.deltas)
	}
	if uint32(number) != r.deltas {
		return fmt.Errorf("delta %d came where %d was due", number, r.deltas)
	}
	r.deltas++
	r.onEvent(int64(sentAt))
	return nil
}
