package columns

import (
	"encoding/binary"
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"
)

// Positions in the flatbuffer tables of the Arrow IPC format (Message.fbs): a field's slot in its vtable is 4 + 2*number.
const (
	messageHeaderType = 6
	messageHeader     = 8
	messageBodyLength = 10
	batchCompression  = 10
	dictionaryData    = 6

	headerDictionary = 2
	headerRecord     = 3
)

// checkStream walks the frames of an Arrow IPC stream before the library does, because the library allocates whatever length a frame
// claims. It refuses lengths beyond the message and compressed bodies, whose size nobody can check. It panics on broken flatbuffers;
// readRecord turns that into an error.
func checkStream(value []byte) error {
	for len(value) > 0 {
		if len(value) >= 4 && binary.LittleEndian.Uint32(value) == 0xFFFFFFFF {
			value = value[4:]
		}
		if len(value) < 4 {
			return fmt.Errorf("arrow stream is cut in a frame's length")
		}
		size := int64(binary.LittleEndian.Uint32(value))
		value = value[4:]
		if size == 0 {
			return nil
		}
		if size < 8 || size > int64(len(value)) {
			return fmt.Errorf("arrow frame of %d bytes in %d that are left", size, len(value))
		}
		body, err := checkFrame(value[:size])
		if err != nil {
			return err
		}
		value = value[size:]
		if body < 0 || body > int64(len(value)) {
			return fmt.Errorf("arrow body of %d bytes in %d that are left", body, len(value))
		}
		value = value[body:]
	}
	return nil
}

// checkFrame returns the length of the body that follows the frame.
func checkFrame(frame []byte) (int64, error) {
	message := flatbuffers.Table{Bytes: frame, Pos: flatbuffers.GetUOffsetT(frame)}
	var header flatbuffers.Table
	if at := message.Offset(messageHeader); at != 0 {
		message.Union(&header, flatbuffers.UOffsetT(at))
	}
	switch message.GetByteSlot(messageHeaderType, 0) {
	case headerDictionary:
		if at := header.Offset(dictionaryData); at != 0 {
			header = flatbuffers.Table{Bytes: frame, Pos: header.Indirect(header.Pos + flatbuffers.UOffsetT(at))}
		}
		fallthrough
	case headerRecord:
		if header.Offset(batchCompression) != 0 {
			return 0, fmt.Errorf("arrow bodies must not be compressed: Kafka does that")
		}
	}
	return message.GetInt64Slot(messageBodyLength, 0), nil
}
