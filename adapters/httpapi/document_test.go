package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/gorilla/mux"

	"github.com/tweiledger/tweiledger/docs"
	"github.com/tweiledger/tweiledger/domain"
)

func TestDocumentIsValid(t *testing.T) {
	doc, _ := document()
	if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("OpenAPI %s", doc.OpenAPI)
	}
}

// TestDocumentAndRouterAgree compares every path and method of the document with those of the router.
func TestDocumentAndRouterAgree(t *testing.T) {
	doc, _ := document()
	documented := map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			documented[method+" "+path] = true
		}
	}
	served := map[string]bool{}
	err := New(Config{}).Router().Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := route.GetMethods()
		for _, method := range methods {
			// HEAD goes with GET, and the document says so once for all.
			if method != http.MethodHead {
				served[method+" "+path] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(documented, served) {
		t.Errorf("documented: %v\nserved: %v", slices.Sorted(maps.Keys(documented)), slices.Sorted(maps.Keys(served)))
	}
}

// TestDocumentedParametersAreTaken sends each documented query parameter twice, to a route that takes no others: what a
// route knows is complained of for standing twice, and what it does not know for being there.
func TestDocumentedParametersAreTaken(t *testing.T) {
	w := openWorld(t)
	doc, _ := document()
	for path, item := range doc.Paths.Map() {
		if item.Get == nil {
			continue
		}
		target := strings.NewReplacer("{post}", "p1", "{account}", "u1", "{event}", domain.EventID{}.String(), "{version}", "1", "{report}", "r1").Replace(path)
		w.get(target+"?unheard=of", malformed).want(t, 400, `"field":"unheard"`)
		for _, p := range item.Get.Parameters {
			if p.Value.In != openapi3.ParameterInQuery || p.Value.Schema.Value.Type.Is("array") {
				continue
			}
			name := p.Value.Name
			w.get(fmt.Sprintf("%s?%s=1&%s=1", target, name, name), malformed).want(t, 400, fmt.Sprintf(`"field":%q`, name), "stands 2 times")
		}
	}
}

func TestClosedSetsAgree(t *testing.T) {
	var events, engagements, priced []string
	for e := domain.PostPublished; e.Valid(); e++ {
		events = append(events, e.String())
		if e.CloudEvent() != "" {
			engagements = append(engagements, e.CloudEvent())
		}
		if e.TariffName() != "" {
			priced = append(priced, e.TariffName())
		}
	}
	var lines []string
	for l := domain.EarnedForPluses; l.Valid(); l++ {
		lines = append(lines, l.String())
	}
	for name, set := range map[string][]string{
		"EventType": events, "EngagementType": engagements, "PricedEngagement": priced, "Line": lines,
		"Reason": texts(domain.Reasons), "RejectionCode": texts(domain.Codes), "Purpose": {string(purposeRead), string(purposeWrite)},
		"Lack": texts([]lack{lackFoldStopped, lackRebuilding, lackRebuildStopped, lackBehind, lackFoldPaused, lackLogAway,
			lackNotWritable, lackTariffsUnread, lackShuttingDown}),
	} {
		if got := enum(schema(name)); !slices.Equal(got, set) {
			t.Errorf("%s is %q in the document, %q in the code", name, got, set)
		}
	}
	var parties []string
	for party := domain.PartyAuthor; party <= domain.PartyBuyer; party++ {
		parties = append(parties, party.String())
	}
	if got := enum(schema("Party")); !slices.Equal(got, parties) {
		t.Errorf("Party is %q in the document, %q in the code", got, parties)
	}
	codes := slices.Sorted(maps.Keys(statuses))
	documented := append(enum(schema("RejectionCode")), enum(schema("ProblemCode").AnyOf[1].Value)...)
	slices.Sort(documented)
	if !slices.Equal(texts(codes), documented) {
		t.Errorf("problem codes are %q in the document, %q in the code", documented, codes)
	}
}

func texts[S ~string](set []S) (texts []string) {
	for _, s := range set {
		texts = append(texts, string(s))
	}
	return texts
}

func enum(s *openapi3.Schema) (texts []string) {
	for _, v := range s.Enum {
		texts = append(texts, v.(string))
	}
	return texts
}

// TestSchemasAreClosed walks every schema: an object says which members it must have and takes no others. A schema
// whose name ends in Members is a part of others, which are closed around it; an engagement takes the CloudEvents
// extensions, by their type.
func TestSchemasAreClosed(t *testing.T) {
	doc, _ := document()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	objects := 0
	walkObjects(tree, "", func(place string, s map[string]any) {
		if s["type"] != "object" || strings.HasSuffix(place, ".properties") {
			return
		}
		objects++
		properties, _ := s["properties"].(map[string]any)
		if s["required"] == nil && s["allOf"] == nil && len(properties) > 0 {
			t.Errorf("%s does not say what is required", place)
		}
		closed := s["additionalProperties"] == false || s["unevaluatedProperties"] == false
		extensions := strings.HasSuffix(place, "Engagement") && s["unevaluatedProperties"] != nil
		if !closed && !extensions && !strings.HasSuffix(place, "Members") {
			t.Errorf("%s takes other members", place)
		}
	})
	if objects < 60 {
		t.Errorf("only %d objects were found", objects)
	}
}

// TestGoldenEventsConform holds the document's events to the frozen lines of every type.
func TestGoldenEventsConform(t *testing.T) {
	golden, err := os.ReadFile("../../docs/golden/events.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(line []byte, name string) error {
		var value any
		if err := json.Unmarshal(line, &value); err != nil {
			t.Fatal(err)
		}
		return schema(name).VisitJSON(value, openapi3.EnableJSONSchema2020())
	}
	seen := map[domain.EventType]bool{}
	for line := range bytes.Lines(golden) {
		e, err := domain.DecodeEvent(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			t.Fatal(err)
		}
		name := e.Type.String() + "Event"
		if err := validate(line, name); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if !seen[e.Type] {
			seen[e.Type] = true
			refusesJSONChanges(t, line, http.StatusOK, func(changed []byte) error { return validate(changed, name) })
		}
	}
	union := schema("Event").OneOf
	if want := int(domain.EventReinstated); len(seen) != want || len(union) != want {
		t.Errorf("lines of %d types, %d are documented, there are %d", len(seen), len(union), want)
	}
}

// TestDocumentIsServedAsItIs reads the document from the API.
func TestDocumentIsServedAsItIs(t *testing.T) {
	w := openWorld(t)
	a := w.get("/openapi.yaml").want(t, 200)
	if !bytes.Equal(a.body, docs.OpenAPI) {
		t.Error("the API serves another document")
	}
}

// TestEveryCodeHasAStatus holds the one table to the closed set.
func TestEveryCodeHasAStatus(t *testing.T) {
	for _, c := range domain.Codes {
		if s := statuses[code(c)]; s != http.StatusUnprocessableEntity && s != http.StatusConflict {
			t.Errorf("%s has status %d", c, s)
		}
	}
	absent := &problem{code: code(domain.CodeUnknownComment), absent: true}
	if absent.status() != http.StatusNotFound {
		t.Errorf("an unknown comment in a path is %d", absent.status())
	}
}
