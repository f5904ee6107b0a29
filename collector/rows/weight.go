package rows

import (
	"strconv"
	"strings"

	"github.com/weirmesh/weir/schemas"
)

// thresholdDigits is how many hexadecimal digits a sampling threshold has when written in full: 56 bits.
const thresholdDigits = 14

// weightOf reads OpenTelemetry's probability sampling from a W3C tracestate: "ot=th:c" says that traces whose random value lies
// below 0xc0000000000000 were dropped, so one that was kept stands for 2^56/(2^56 - th) traces. Anything else weighs one.
func weightOf(tracestate string) schemas.Weight {
	if tracestate == "" {
		return schemas.One
	}
	for member := range strings.SplitSeq(tracestate, ",") {
		list, ok := strings.CutPrefix(strings.TrimSpace(member), "ot=")
		if !ok {
			continue
		}
		for entry := range strings.SplitSeq(list, ";") {
			if digits, ok := strings.CutPrefix(entry, "th:"); ok {
				return weightOfThreshold(digits)
			}
		}
	}
	return schemas.One
}

func weightOfThreshold(digits string) schemas.Weight {
	if len(digits) == 0 || len(digits) > thresholdDigits {
		return schemas.One
	}
	th, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return schemas.One
	}
	th <<= 4 * (thresholdDigits - len(digits))
	const all = 1 << 56
	return schemas.WeightOf(all / float64(all-th))
}
