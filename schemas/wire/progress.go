package wire

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Progress is what a features worker says on weir.progress about the sources it owns, as JSON, about once a second. It goes to every
// partition of the topic, because each shard of decision workers needs all of it.
type Progress struct {
	Worker  string           `json:"worker"`
	Time    int64            `json:"time"` // when it was said, Unix ns, worker's clock
	Sources []SourceProgress `json:"sources"`
}

// SourceProgress is how far one source is.
type SourceProgress struct {
	Source    string `json:"source"`
	Next      int64  `json:"next"`      // first offset not yet read
	Durable   int64  `json:"durable"`   // every message below this offset is counted and durable
	End       int64  `json:"end"`       // log end offset as last seen; lag = End - Durable
	Watermark int64  `json:"watermark"` // event time, Unix ns; 0 = nothing seen yet
	Idle      bool   `json:"idle"`      // the source does not hold others back
	LastData  int64  `json:"last_data"` // when the newest message with telemetry was written, Unix ns; 0 = never
}

// Encode returns the record's value.
func (p Progress) Encode() ([]byte, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode progress of %s: %w", p.Worker, err)
	}
	return b, nil
}

// DecodeProgress reads what Encode wrote.
func DecodeProgress(value []byte) (Progress, error) {
	var p Progress
	if err := json.Unmarshal(value, &p); err != nil {
		return Progress{}, fmt.Errorf("decode progress: %w", err)
	}
	if len(p.Sources) == 0 {
		return Progress{}, errors.New("decode progress: no sources")
	}
	for _, s := range p.Sources {
		if s.Source == "" {
			return Progress{}, errors.New("decode progress: a source has no name")
		}
	}
	return p, nil
}
