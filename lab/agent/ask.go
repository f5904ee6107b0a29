package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/weirmesh/weir/lab/objects"
)

// ready reports whether every program serves.
func (i *instance) ready(ctx context.Context) bool {
	i.mu.Lock()
	parts := i.parts
	i.mu.Unlock()
	for _, p := range parts {
		if p.Pid() == 0 || ask(ctx, http.MethodGet, p.admin, "/ready", nil) != nil {
			return false
		}
	}
	return len(parts) > 0
}

// tell writes onto the pod whether it serves. A virtual machine has no pod, and a pod that is gone needs to be told nothing.
func (i *instance) tell(ctx context.Context, serving bool) error {
	if i.vm {
		return nil
	}
	patch := fmt.Appendf(nil, `{"metadata":{"uid":%q,"annotations":{%q:"%t"}}}`, i.uid, objects.AnnotationServing, serving)
	ctx, stop := context.WithTimeout(ctx, askTimeout)
	defer stop()
	_, err := i.agent.cfg.API.Resource(podResource()).Namespace(i.namespace).
		Patch(ctx, i.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: objects.Manager})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) { // conflict: another pod has the name now
		return nil
	}
	return err
}

// applyFaults tells the service process which faults hold, if it does not know, and reports whether it knows.
func (i *instance) applyFaults(ctx context.Context) bool {
	if i.service == "" {
		return true
	}
	i.mu.Lock()
	starts := i.parts[0].Starts()
	i.mu.Unlock()
	hold := i.agent.faultsOf(i.info())
	if starts == i.starts && slices.Equal(hold, i.applied) {
		return true
	}
	text, err := json.Marshal(hold)
	if err == nil {
		err = ask(ctx, http.MethodPut, i.admin, "/faults", text)
	}
	if err != nil {
		i.agent.cfg.Logger.Warn("Faults could not be set", "pod", i.name, "error", err)
		return false
	}
	i.applied, i.starts = hold, starts
	return true
}

// ask makes one request to a program's administration.
func ask(ctx context.Context, method string, at netip.AddrPort, path string, body []byte) error {
	ctx, stop := context.WithTimeout(ctx, askTimeout)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+at.String()+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Close = true // connections to a process that ends soon are not kept
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16))
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s answered %s", method, path, answer.Status)
	}
	return nil
}
