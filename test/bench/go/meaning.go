// The reader for answers that a subject wrote anew: any valid form of a Messages stream will do, but each delta's text must
// be there, once and in order. Texts may come split or joined.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// readMeaning is the plan's word for this reader.
const readMeaning = "meaning"

const (
	stampSize = 1 + digits // a space, then the number and the send time
	// The number of the last delta, whose time is the count of those before it.
	lastNumber = uint32(0xffffffff)
)

type meaningReader struct {
	rest    []byte
	data    []byte
	text    []byte
	started bool
	stopped bool
	counted bool
	deltas  uint32
	// Called with each delta's send time, and with 0 for the start.
	onEvent func(sentAt int64)
}

func (r *meaningReader) reset() {
	*r = meaningReader{rest: r.rest[:0], data: r.data[:0], text: r.text[:0], onEvent: r.onEvent}
}

func (r *meaningReader) count() uint32 { return r.deltas }

func (r *meaningReader) whole() bool { return r.started && r.counted && r.stopped && len(r.text) == 0 }

func (r *meaningReader) feed(data []byte) error {
	if len(r.rest) > 0 {
		r.rest = append(r.rest, data...)
		data = r.rest
	}
	for {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			break
		}
		if err := r.takeLine(bytes.TrimSuffix(data[:end], []byte("\r"))); err != nil {
			return err
		}
		data = data[end+1:]
	}
	r.rest = append(r.rest[:0], data...)
	return nil
}

func (r *meaningReader) takeLine(line []byte) error {
	if value, is := bytes.CutPrefix(line, []byte("data:")); is {
		r.data = append(r.data, value...)
		return nil
	}
	if len(line) > 0 || len(r.data) == 0 {
		return nil
	}
	err := r.takeEvent(r.data)
	r.data = r.data[:0]
	return err
}

func (r *meaningReader) takeEvent(data []byte) error {
	var event struct {
		Type  string
		Delta struct {
			Type string
			Text string
		}
	}
	if err := json.Unmarshal(data, &event); err != nil {
		return fmt.Errorf("an event after delta %d is no JSON: %w", r.deltas, err)
	}
	if !r.started && event.Type != "message_start" && event.Type != "ping" {
		return fmt.Errorf("the first event is %q", event.Type)
	}
	switch event.Type {
	case "message_start":
		r.started = true
		r.onEvent(0)
	case "content_block_delta":
		if event.Delta.Type != "text_delta" {
			return fmt.Errorf("delta of the type %q", event.Delta.Type)
		}
		r.text = append(r.text, event.Delta.Text...)
		return r.takeStamps()
	case "message_stop":
		r.stopped = true
	case "error":
		return fmt.Errorf("error event after delta %d", r.deltas)
	}
	return nil
}

func (r *meaningReader) takeStamps() error {
	for len(r.text) >= stampSize {
		number, ok := parseHex(r.text[1:9])
		value, okTime := parseHex(r.text[10:stampSize])
		switch {
		case !ok || !okTime || r.text[0] != ' ' || r.text[9] != ' ':
			return fmt.Errorf("the text of delta %d differs", r.deltas)
		case uint32(number) == lastNumber && value != uint64(r.deltas):
			return fmt.Errorf("%d of %d deltas came", r.deltas, value)
		case uint32(number) != lastNumber && uint32(number) != r.deltas:
			return fmt.Errorf("delta %d came where %d was due", number, r.deltas)
		case uint32(number) != lastNumber:
			r.deltas++
			r.onEvent(int64(value))
		default:
			r.counted = true
		}
		r.text = append(r.text[:0], r.text[stampSize:]...)
	}
	return nil
}
