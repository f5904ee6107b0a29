package answers_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/weirmesh/weir/collector/answers"
)

// TestRequestsWaitForRoom: no more requests get in than there is memory to decode, and all get in at last.
func TestRequestsWaitForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := answers.NewFactory().Create(t.Context(), extensiontest.NewNopSettings(component.MustNewType("weir_answers")), &answers.Config{RoomMiB: 8})
		if err != nil {
			t.Fatal(err)
		}
		var inside, refused atomic.Int32
		leave := make(chan struct{})
		handler := serve(t, e.(middleware), func(http.ResponseWriter, *http.Request) { //nolint:forcetypeassert // a panic fails the test
			inside.Add(1)
			<-leave
		})
		// Each is said to take some 2 MB.
		send := func(ctx context.Context) {
			request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/traces", bytes.NewReader(bytes.Repeat([]byte{0x12, 0}, 4000)))
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, request)
			if answer.Code == http.StatusServiceUnavailable {
				refused.Add(1)
			}
		}
		for range 10 {
			go send(t.Context())
		}
		ctx, giveUp := context.WithCancel(t.Context())
		synctest.Wait()
		if n := inside.Load(); n != 4 {
			t.Errorf("%d requests are inside, want 4", n)
		}
		go send(ctx)
		synctest.Wait()
		giveUp()
		synctest.Wait()
		if inside.Load() != 4 || refused.Load() != 1 {
			t.Errorf("%d are inside, %d that gave up are gone", inside.Load(), refused.Load())
		}
		close(leave)
		synctest.Wait()
		if n := inside.Load(); n != 10 {
			t.Errorf("%d requests came in, want 10", n)
		}
		_ = e.Shutdown(t.Context())
	})
}
