package deploy

import (
	"debug/elf"
	"go/version"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dockerfile is what the Dockerfile says.
type dockerfile struct {
	// bases are the images of its stages.
	bases []string
	// build is the command that builds the program, without where it puts it.
	build string
	// folders are those that it makes for the program to write in.
	folders []string
	// owners are whose those are.
	owners []string
	// user is who the program runs as; entrypoint and command are what is run.
	user, entrypoint, command string
}

// goBuild is a line that builds the program: the command, without where it puts it, and the package.
var goBuild = regexp.MustCompile(`(?m)^(?:RUN )?(CGO_ENABLED=0 go build .*) -o \S+ (\./cmd/tweiledger)\b`)

func readDockerfile(t *testing.T) (d dockerfile) {
	t.Helper()
	var made []string
	for line := range strings.Lines(readFile(t, "../Dockerfile")) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		fields := strings.Fields(rest)
		switch instruction {
		case "FROM":
			d.bases = append(d.bases, fields[0])
		case "RUN":
			if found := goBuild.FindStringSubmatch(line); found != nil {
				d.build = found[1] + " " + found[2]
			}
			if fields[0] == "install" {
				made = fields[4:]
			}
		case "COPY":
			if !strings.Contains(rest, "--chown=") {
				continue
			}
			source, target := fields[len(fields)-2], fields[len(fields)-1]
			for _, folder := range made {
				d.folders = append(d.folders, path.Join(target, strings.TrimPrefix(folder+"/", source)))
			}
			d.owners = append(d.owners, strings.TrimPrefix(fields[1], "--chown="))
		case "USER":
			d.user = rest
		case "ENTRYPOINT":
			d.entrypoint = rest
		case "CMD":
			d.command = rest
		}
	}
	return d
}

// The image holds the program alone, built as docs/operations.md builds it by a Go that go.mod asks for, and runs it as
// a user that is not root.
func TestDockerfile(t *testing.T) {
	d := readDockerfile(t)
	if len(d.bases) != 2 || d.bases[1] != "scratch" {
		t.Fatalf("the stages are of %v", d.bases)
	}
	builder := regexp.MustCompile(`^golang:([0-9.]+)-bookworm$`).FindStringSubmatch(d.bases[0])
	asked := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(readFile(t, "../go.mod"))
	if builder == nil || version.Compare("go"+builder[1], "go"+asked[1]) < 0 {
		t.Errorf("%s does not build what go.mod asks of Go: %s", d.bases[0], asked[1])
	}
	documented := goBuild.FindStringSubmatch(readFile(t, "../docs/operations.md"))
	if documented == nil || documented[1]+" "+documented[2] != d.build {
		t.Errorf("it is built by %q, and documented as %q", d.build, documented)
	}
	if !regexp.MustCompile(`^[1-9][0-9]*:[1-9][0-9]*$`).MatchString(d.user) {
		t.Errorf("it runs as %s", d.user)
	}
	if d.entrypoint != `["/usr/local/bin/tweiledger"]` || d.command != `["serve"]` {
		t.Errorf("it runs %s %s", d.entrypoint, d.command)
	}
	if !slices.Contains(d.folders, "/var/lib/tweiledger/data") || !slices.Equal(d.owners, []string{d.user}) {
		t.Errorf("%v may write to %v", d.owners, d.folders)
	}
}

// An image without anything else holds no loader and no libraries.
func TestProgramIsStatic(t *testing.T) {
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the program has a segment %s", p.Type)
		}
	}
}
