package window

import (
	"slices"

	"github.com/weirmesh/weir/schemas"
)

// histogram is a sparse latency histogram, rising by bucket. A window of one key fills a few dozen neighbouring buckets of the
// thousand there are, so a sorted slice is smaller than an array and as quick.
type histogram []schemas.BucketCount

func (h *histogram) add(b schemas.Bucket, n uint64) {
	i, found := slices.BinarySearchFunc(*h, b, func(c schemas.BucketCount, b schemas.Bucket) int { return int(c.Bucket) - int(b) })
	if found {
		(*h)[i].Count += n
		return
	}
	*h = slices.Insert(*h, i, schemas.BucketCount{Bucket: b, Count: n})
}
