package domain_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tweiledger/tweiledger"

// mayImport is the table of DESIGN section 5: what the packages of a folder may import beside the standard library. A
// name with a slash behind it stands for all below it; "…" for any library.
var mayImport = []struct {
	folder string
	may    []string
}{
	{"domain", []string{"github.com/shopspring/decimal", "github.com/go-json-experiment/json", "github.com/go-json-experiment/json/", "github.com/google/uuid"}},
	{"projections", []string{module + "/domain", "golang.org/x/mod/sumdb/", "filippo.io/torchwood"}},
	// What several adapters share lies in adapters/internal, and is none.
	{"adapters", []string{module + "/domain", module + "/projections", module + "/docs", module + "/adapters/internal/", "…"}},
	{"docs", []string{"github.com/cloudevents/sdk-go/v2", "github.com/cloudevents/sdk-go/v2/"}},
	{"cmd", []string{module + "/", "…"}},
}

// esdbtest stands in for EventStoreDB in tests.
const esdbtest = module + "/adapters/eventstore/esdbtest"

// forbidden is what the table takes back: the verifier never imports projections, EventStoreDB's client and gRPC stay
// behind their adapter, and no program has its test double. (Tests may import logtest and esdbtest; they are not looked
// at here.)
func forbidden(pkg, imported string) bool {
	eventstore := pkg == module+"/adapters/eventstore" || strings.HasPrefix(pkg, module+"/adapters/eventstore/")
	return strings.HasSuffix(pkg, "/adapters/audit") && strings.HasPrefix(imported, module+"/projections") ||
		strings.HasPrefix(imported, "github.com/EventStore/") && !eventstore ||
		strings.HasPrefix(imported, "google.golang.org/grpc") && !eventstore ||
		imported == esdbtest
}

func allowed(pkg, imported string) bool {
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return true // the standard library
	}
	folder, _, _ := strings.Cut(strings.TrimPrefix(pkg, module+"/"), "/")
	if forbidden(pkg, imported) {
		return false
	}
	for _, row := range mayImport {
		if row.folder != folder {
			continue
		}
		return slices.ContainsFunc(row.may, func(may string) bool {
			return may == imported || strings.HasSuffix(may, "/") && strings.HasPrefix(imported, may) ||
				may == "…" && !strings.HasPrefix(imported, module) ||
				// Below a package of an adapter lies the same adapter.
				folder == "adapters" && strings.HasPrefix(imported, pkg+"/")
		})
	}
	return false
}

// No package imports against the arrows of DESIGN section 5: domain nothing of the module, projections only domain,
// adapters never each other.
func TestImports(t *testing.T) {
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,GoFiles", "./...")
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for dec := json.NewDecoder(bytes.NewReader(text)); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		found[pkg.ImportPath] = true
		for _, imported := range pkg.Imports {
			if !allowed(pkg.ImportPath, imported) {
				t.Errorf("%s imports %s", pkg.ImportPath, imported)
			}
		}
	}
	if !found[module+"/domain"] {
		t.Errorf("the packages are %v", found)
	}
}

// The rule that TestImports applies, on imports that it must refuse and allow.
func TestAllowedImports(t *testing.T) {
	for _, row := range []struct {
		pkg, imported string
		want          bool
	}{
		{"/domain", module + "/projections", false},
		{"/domain", module + "/adapters/pebblelog", false},
		{"/domain", "github.com/cockroachdb/pebble/v2", false},
		{"/domain", "github.com/go-json-experiment/json/jsontext", true},
		{"/domain", "go/ast", true},
		{"/projections", module + "/domain", true},
		{"/projections", module + "/adapters/pebbleviews", false},
		{"/projections", "github.com/cockroachdb/pebble/v2", false},
		{"/projections", "golang.org/x/mod/sumdb/tlog", true},
		{"/adapters/httpapi", module + "/adapters/pebblelog", false},
		{"/adapters/httpapi", module + "/cmd/tweiledger", false},
		{"/adapters/httpapi", module + "/projections", true},
		{"/adapters/httpapi", "github.com/gorilla/mux", true},
		{"/adapters/audit", module + "/projections", false},
		{"/adapters/eventstore", "github.com/EventStore/EventStore-Client-Go/v4/esdb", true},
		{"/adapters/eventstore", "google.golang.org/grpc/metadata", true},
		{"/adapters/eventstore", esdbtest, false},
		{"/adapters/eventstore/esdbtest", "google.golang.org/grpc", true},
		{"/adapters/httpapi", "google.golang.org/grpc/codes", false},
		{"/cmd/tweiledger", "github.com/EventStore/EventStore-Client-Go/v4/esdb", false},
		{"/cmd/tweiledger", esdbtest, false},
		{"/cmd/tweiledger", module + "/adapters/httpapi", true},
		{"/internal/else", module + "/domain", false},
	} {
		if got := allowed(module+row.pkg, row.imported); got != row.want {
			t.Errorf("%s imports %s: %t", row.pkg, row.imported, got)
		}
	}
}

// What the code of domain must not touch: the clock, the system, randomness and logs. It takes these as values. It may
// wait (time.NewTimer), which decides nothing.
var (
	noPackages = []string{"os", "os/", "log", "log/", "math/rand", "math/rand/", "crypto/rand", "net", "net/http", "syscall", "unsafe"}
	noCalls    = []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.Local", "time.LoadLocation",
		"uuid.New", "uuid.NewString", "uuid.NewUUID", "uuid.NewRandom", "uuid.NewV7", "uuid.NewV6", "uuid.Must", "fmt.Print", "fmt.Println", "fmt.Printf"}
)

func TestDomainIsPure(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range impurities(f) {
			t.Errorf("%s: %s", fset.Position(bad.Pos()), bad.what)
		}
	}
}

// impurity is a use of what domain must not touch.
type impurity struct {
	ast.Node
	what string
}

func impurities(f *ast.File) (found []impurity) {
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err)
		}
		if slices.ContainsFunc(noPackages, func(no string) bool {
			return path == no || strings.HasSuffix(no, "/") && strings.HasPrefix(path, no)
		}) || spec.Name != nil {
			found = append(found, impurity{spec, "imports " + path})
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := selector.X.(*ast.Ident); ok && slices.Contains(noCalls, pkg.Name+"."+selector.Sel.Name) {
				found = append(found, impurity{n, "uses " + pkg.Name + "." + selector.Sel.Name})
			}
		}
		return true
	})
	return found
}

// What TestDomainIsPure must find.
func TestImpurities(t *testing.T) {
	for _, source := range []string{
		`package p; import "os"`, `package p; import "log/slog"`, `package p; import "math/rand/v2"`, `package p; import clock "time"`,
		`package p; import "time"; var now = time.Now`, `package p; import "time"; func f() { time.Sleep(1) }`,
		`package p; import "github.com/google/uuid"; var id = uuid.New()`,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(impurities(f)) == 0 {
			t.Errorf("found nothing in %s", source)
		}
	}
}
