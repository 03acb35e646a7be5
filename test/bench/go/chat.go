// The same stream in the shape that OpenAI's Chat Completions API gives it: what the upstream sends to a subject that translates.
package main

import "fmt"

const (
	chatPath  = "/v1/chat/completions"
	chatHead  = `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1830297600,"model":"gpt-bench","choices":[{"index":0,"delta":{"content":" `
	chatTail  = "\"},\"finish_reason\":null}]}\n\n"
	chatStart = `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1830297600,"model":"gpt-bench",` +
		"\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
	chatStop = `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1830297600,"model":"gpt-bench",` +
		"\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
	chatUsage = `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1830297600,"model":"gpt-bench","choices":[],` +
		"\"usage\":{\"prompt_tokens\":412,\"completion_tokens\":128,\"total_tokens\":540}}\n\n"
	chatDone = "data: [DONE]\n\n"
)

// wireForm is how an upstream writes a stream in one dialect.
type wireForm struct {
	opening []string
	closing []string
	prefix  string
	tail    string
}

var messagesForm = &wireForm{opening: opening, closing: closing, prefix: deltaPrefix, tail: deltaTail}
var chatForm = &wireForm{
	opening: []string{chatStart},
	closing: []string{chatStop, chatUsage, chatDone},
	prefix:  fmt.Sprintf("%x\r\n%s", len(chatHead)+digits+len(chatTail), chatHead),
	tail:    chatTail,
}

// formOf is the dialect of a request's path.
func formOf(requestPath string) *wireForm {
	if requestPath == chatPath {
		return chatForm
	}
	return messagesForm
}

// appendDelta appends one delta as one HTTP chunk.
func (f *wireForm) appendDelta(out []byte, number uint32, sentAt int64) []byte {
	out = append(out, f.prefix...)
	out = appendHex(out, uint64(number), 8)
	out = append(out, ' ')
	out = appendHex(out, uint64(sentAt), 16)
	out = append(out, f.tail...)
	return append(out, '\r', '\n')
}
