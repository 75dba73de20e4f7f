package httpapi

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// patientWriter keeps how long each write may take, and what is left of it afterwards.
type patientWriter struct {
	*httptest.ResponseRecorder
	deadline time.Time
	writes   []time.Duration
}

func (w *patientWriter) SetWriteDeadline(at time.Time) error {
	w.deadline = at
	return nil
}

func (w *patientWriter) Write(b []byte) (int, error) {
	w.writes = append(w.writes, time.Until(w.deadline))
	return w.ResponseRecorder.Write(b)
}

// TestStreamsHaveTimeForEachWrite: a stream may wait for as long as it likes, but each write must be taken in time, and
// once the stream is to end in less.
func TestStreamsHaveTimeForEachWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New(Config{})
		w := &patientWriter{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest(http.MethodGet, "/v1/log", nil)
		s, err := a.openStream(&response{ResponseWriter: w}, r, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.write([]byte("x\n")); err != nil {
				t.Fatal(err)
			}
			if !w.deadline.IsZero() {
				t.Error("waiting for more has a deadline")
			}
			time.Sleep(time.Hour)
		}
		a.Drain()
		synctest.Wait()
		if got := time.Until(w.deadline); got != time.Second {
			t.Errorf("a write under way has %s when the stream is to end", got)
		}
		if err := s.write([]byte("x\n")); err != nil {
			t.Fatal(err)
		}
		s.close()
		if got := time.Until(w.deadline); got != time.Second {
			t.Errorf("the end of the answer has %s", got)
		}
		if want := []time.Duration{answerTimeout, answerTimeout, time.Second}; !slices.Equal(w.writes, want) {
			t.Errorf("writes have %s, want %s", w.writes, want)
		}
	})
}
