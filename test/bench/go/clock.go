// One clock for sender and receiver, and the histogram that delays go into.
package main

import (
	"math/bits"
	"time"
)

var epoch = time.Now()

// now is nanoseconds of the monotonic clock since this process began.
func now() int64 { return int64(time.Since(epoch)) }

const (
	subBits    = 8 // 256 steps per power of two: under 0.4 % error
	subBuckets = 1 << subBits
)

// histogram counts nanosecond values in log-linear buckets, exact below 256 ns.
type histogram struct {
	counts [64 * subBuckets]uint64
	total  uint64
	max    int64
}

func (h *histogram) record(value int64) {
	value = max(value, 0)
	h.counts[bucket(uint64(value))]++
	h.total++
	h.max = max(h.max, value)
}

func bucket(value uint64) int {
	if value < subBuckets {
		return int(value)
	}
	shift := bits.Len64(value) - subBits - 1
	return (shift+1)*subBuckets + int(value>>shift) - subBuckets
}

// middle is the value that a bucket stands for.
func middle(index int) int64 {
	if index < subBuckets {
		return int64(index)
	}
	shift := index/subBuckets - 1
	low := int64(subBuckets+index%subBuckets) << shift
	return low + (int64(1)<<shift)/2
}

// summary is a histogram in microseconds.
type summary struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

func (h *histogram) summary() summary {
	return summary{
		Count: h.total,
		P50:   h.quantileUs(0.5),
		P90:   h.quantileUs(0.9),
		P99:   h.quantileUs(0.99),
		P999:  h.quantileUs(0.999),
		Max:   float64(h.max) / 1e3,
	}
}

func (h *histogram) quantileUs(q float64) float64 {
	if h.total == 0 {
		return 0
	}
	rank := uint64(q*float64(h.total-1)) + 1
	seen := uint64(0)
	for index, count := range h.counts {
		seen += count
		if seen >= rank {
			return float64(min(middle(index), h.max)) / 1e3
		}
	}
	return float64(h.max) / 1e3
}
