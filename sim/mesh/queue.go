package mesh

// what happens when an event is due.
type what uint8

const (
	onMinute what = iota
	onFault
	onFaultEnd
	onScale
	onReady   // instance becomes ready
	onArrival // a request from outside
	onWorked  // call's own work is done
	onAnswer  // call is done after a wait
	onTimeout // call gives up an attempt
	onResend  // call repeats an attempt
)

// event is something due. Token guards against the call having ended, and its memory serving another one, in the meantime.
type event struct {
	at       int64
	order    uint64 // among those at the same time
	token    uint64
	call     *call
	instance *instance
	index    int // fault or event
	what     what
}

func (e *event) before(o *event) bool {
	return e.at < o.at || e.at == o.at && e.order < o.order
}

// calendar is a priority queue of events: a heap of four children a node, which needs fewer cache lines than one of two.
type calendar struct {
	heap []event
	last uint64
}

// plan adds an event. At the same time, what happens to the mesh as a whole comes before what calls do, in the order of the list above.
func (c *calendar) plan(e event) {
	c.last++
	e.order = c.last | uint64(min(e.what, onReady+1))<<56
	i := len(c.heap)
	c.heap = append(c.heap, e)
	for i > 0 {
		up := (i - 1) / 4
		if !e.before(&c.heap[up]) {
			break
		}
		c.heap[i] = c.heap[up]
		i = up
	}
	c.heap[i] = e
}

// pop removes the earliest event.
func (c *calendar) pop() event {
	first := c.heap[0]
	n := len(c.heap) - 1
	e := c.heap[n]
	c.heap[n] = event{}
	c.heap = c.heap[:n]
	if n == 0 {
		return first
	}
	i := 0
	for {
		down := 4*i + 1
		if down >= n {
			break
		}
		for k := down + 1; k < min(down+4, n); k++ {
			if c.heap[k].before(&c.heap[down]) {
				down = k
			}
		}
		if !c.heap[down].before(&e) {
			break
		}
		c.heap[i] = c.heap[down]
		i = down
	}
	c.heap[i] = e
	return first
}
