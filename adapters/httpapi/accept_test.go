package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestNegotiate has a row for each way in which Accept says what is wanted.
func TestNegotiate(t *testing.T) {
	for _, test := range []struct {
		accept []string
		want   string
	}{
		{nil, mediaJSON},
		{[]string{""}, mediaJSON},
		{[]string{"*/*"}, mediaJSON},
		{[]string{"text/csv"}, mediaCSV},
		{[]string{"TEXT/CSV"}, mediaCSV},
		{[]string{"text/*"}, mediaCSV},
		{[]string{"application/json, text/csv"}, mediaJSON},
		{[]string{"text/csv, application/json"}, mediaJSON},
		{[]string{"text/csv, application/json;q=0.9"}, mediaCSV},
		{[]string{"text/csv;q=0.5, application/json;q=0.501"}, mediaJSON},
		{[]string{"text/csv", "application/json;q=0.999"}, mediaCSV},
		{[]string{"*/*;q=0.1, text/csv"}, mediaCSV},
		{[]string{"text/csv;q=0.2, */*;q=0.3"}, mediaJSON},
		{[]string{"application/json;q=0, */*"}, mediaCSV},
		{[]string{"text/html, application/xhtml+xml, */*;q=0.8"}, mediaJSON},
		{[]string{"application/*;q=0.1, text/csv;q=0.2"}, mediaCSV},
		{[]string{"text/csv;charset=utf-8;header=present"}, mediaCSV},
		{[]string{`text/csv;x=",;q=0";q=1, application/json;q=0.5`}, mediaCSV},
		{[]string{`text/csv;x="\",", application/json;q=0.5`}, mediaCSV},
		{[]string{"text/csv ; Q=0.9 ,application/json; q=0.8"}, mediaCSV},
		{[]string{"text/csv;charset=utf-16, application/json;q=0.1"}, mediaJSON},
		{[]string{"text/csv;q=1.001, application/json;q=0.1"}, mediaJSON},
		{[]string{"text/csv;q=2, application/json;q=0.1"}, mediaJSON},
		{[]string{"text/csv;q=.9, application/json;q=0.1"}, mediaJSON},
		{[]string{"text/csv;q=0.1234, application/json;q=0.1"}, mediaJSON},
		{[]string{"text/csv;q=0.+1, application/json;q=0.1"}, mediaJSON},
		{[]string{"text/html"}, ""},
		{[]string{"image/*"}, ""},
		{[]string{"*/*;q=0"}, ""},
		{[]string{"*/*;q=0.000"}, ""},
		{[]string{"application/json;q=0, text/csv;q=0"}, ""},
		{[]string{"csv"}, ""},
		{[]string{";;"}, ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Accept"] = test.accept
		w := httptest.NewRecorder()
		got, err := negotiate(w, r, mediaJSON, mediaCSV)
		var p *problem
		if got != test.want || (err != nil) != (test.want == "") || err != nil && !(errors.As(err, &p) && p.status() == http.StatusNotAcceptable) {
			t.Errorf("%q gets %q %v, not %q", test.accept, got, err, test.want)
		}
		if w.Header().Get("Vary") != "Accept" {
			t.Errorf("%q: Vary is %q", test.accept, w.Header().Get("Vary"))
		}
	}
}

func FuzzNegotiate(f *testing.F) {
	f.Add("text/csv;q=0.5, */*")
	f.Add(`a/b;x="\",`)
	f.Fuzz(func(t *testing.T, accept string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Accept"] = []string{accept}
		got, err := negotiate(httptest.NewRecorder(), r, mediaJSON, mediaCSV)
		if (err == nil) != (got == mediaJSON || got == mediaCSV) {
			t.Fatalf("%q gets %q %v", accept, got, err)
		}
		// A type that is wanted without reserve is what comes, whatever was wanted less before it.
		r.Header["Accept"] = []string{"application/json;q=0.999, text/csv"}
		if got, _ := negotiate(httptest.NewRecorder(), r, mediaJSON, mediaCSV); got != mediaCSV {
			t.Fatalf("CSV is wanted most, %q comes", got)
		}
	})
}
