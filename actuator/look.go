package actuator

import (
	"context"
	"strings"

	"github.com/weirmesh/weir/actuator/cluster"
	"github.com/weirmesh/weir/schemas"
)

// look reads the current state, each kind of a namespace once: all decisions that are judged together see the same.
type look struct {
	source  cluster.Source // nil = nobody looks
	cluster string         // what the source shows; "" = not known
	seen    map[asked]answer
}

type asked struct {
	kind      cluster.Kind
	namespace string
}

type answer struct {
	objects []cluster.Object
	err     error
}

// at reads what matters for a decision. What cannot be read is said in the view; it stops nothing.
func (l *look) at(ctx context.Context, d schemas.Decision) view {
	switch {
	case l.source == nil:
		return view{why: "neither a folder of manifests nor a kubeconfig is configured"}
	case l.cluster != "" && d.Target.Cluster != l.cluster:
		return view{why: "the configured state is that of cluster " + l.cluster}
	}
	v := view{from: l.source.From(), around: cluster.Around{}}
	for _, kind := range needs(d.Kind) {
		a := l.list(ctx, asked{kind, d.Target.Namespace})
		if a.err != nil {
			return view{why: strings.TrimSuffix(a.err.Error(), ".")}
		}
		v.around[kind] = a.objects
	}
	return v
}

func (l *look) list(ctx context.Context, what asked) answer {
	if a, ok := l.seen[what]; ok {
		return a
	}
	objects, err := l.source.List(ctx, what.kind, what.namespace)
	l.seen[what] = answer{objects: objects, err: err}
	return l.seen[what]
}
