// The little of HTTP/1.1 that both sides need: heads and body framing, incrementally and without copying.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const maxHeadBytes = 64 << 10

var errClosedBody = errors.New("body ends with the connection")

type head struct {
	first string
	// By lower-case name; the last one wins.
	fields map[string]string
}

// takeHead splits a complete head off data; nil when more bytes are needed.
func takeHead(data []byte) (*head, []byte, error) {
	end := bytes.Index(data, []byte("\r\n\r\n"))
	if end < 0 {
		if len(data) > maxHeadBytes {
			return nil, nil, errors.New("head too long")
		}
		return nil, data, nil
	}
	lines := strings.Split(string(data[:end]), "\r\n")
	parsed := &head{first: lines[0], fields: make(map[string]string, len(lines))}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ":")
		parsed.fields[strings.ToLower(name)] = strings.TrimSpace(value)
	}
	return parsed, data[end+4:], nil
}

// body reads one message's body by its framing.
type body struct {
	chunked bool
	// Bytes left of the body, or of the current chunk.
	left int64
	line []byte
	step bodyStep
}

type bodyStep int

const (
	inData bodyStep = iota
	inSize
	inChunkEnd
	inTrailer
	bodyDone
)

// openBody prepares for the body that a head announces.
func openBody(h *head, isAnswer bool) (body, error) {
	if strings.EqualFold(h.fields["transfer-encoding"], "chunked") {
		return body{chunked: true, step: inSize}, nil
	}
	text, has := h.fields["content-length"]
	if !has {
		if isAnswer {
			return body{}, errClosedBody
		}
		return body{step: bodyDone}, nil
	}
	length, err := strconv.ParseInt(text, 10, 64)
	if err != nil || length < 0 {
		return body{}, fmt.Errorf("content-length %q", text)
	}
	if length == 0 {
		return body{step: bodyDone}, nil
	}
	return body{left: length}, nil
}

// feed hands content to take and returns what follows the body.
func (b *body) feed(data []byte, take func([]byte) error) ([]byte, error) {
	for len(data) > 0 && b.step != bodyDone {
		switch b.step {
		case inData:
			size := min(b.left, int64(len(data)))
			if err := take(data[:size]); err != nil {
				return nil, err
			}
			data = data[size:]
			if b.left -= size; b.left > 0 {
				continue
			}
			b.step = bodyDone
			if b.chunked {
				b.step = inChunkEnd
			}
		default:
			end := bytes.IndexByte(data, '\n')
			if end < 0 {
				b.line = append(b.line, data...)
				return nil, nil
			}
			line := data[:end]
			if len(b.line) > 0 {
				b.line = append(b.line, line...)
				line = b.line
			}
			data = data[end+1:]
			if err := b.takeLine(bytes.TrimSuffix(line, []byte("\r"))); err != nil {
				return nil, err
			}
			b.line = b.line[:0]
		}
	}
	return data, nil
}

func (b *body) takeLine(line []byte) error {
	switch b.step {
	case inSize:
		size, err := strconv.ParseInt(string(line), 16, 64)
		if err != nil {
			return fmt.Errorf("chunk size %q", line)
		}
		b.left, b.step = size, inData
		if size == 0 {
			b.step = inTrailer
		}
	case inChunkEnd:
		if len(line) > 0 {
			return fmt.Errorf("chunk not ended: %q", line)
		}
		b.step = inSize
	case inTrailer:
		if len(line) == 0 {
			b.step = bodyDone
		}
	}
	return nil
}
