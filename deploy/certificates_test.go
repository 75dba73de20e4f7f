package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// certTool stands for es-gencert-cli 1.0.2, as far as it minds: it makes its folder itself, will not have one that is
// there, and nobody may write to what it made. What it was asked for is in the files.
const certTool = `#!/bin/sh
set -e
command=$1; asked=$*
while [ $# -gt 0 ]; do
  case $1 in
  -out) out=$2 ;;
  -ca-key) signer=$(cat "$2") ;;
  esac
  shift
done
mkdir "$out"
name=node; [ "$command" = create-ca ] && name=ca
echo "$$ $asked by $signer" >"$out/$name.crt"
echo "$$" >"$out/$name.key"
chmod 0444 "$out/$name.crt"; chmod 0400 "$out/$name.key"
`

// certificates runs the script in folders of its own.
type certificates struct {
	t    *testing.T
	dir  string
	path string
}

func newCertificates(t *testing.T) *certificates {
	c := &certificates{t, t.TempDir(), t.TempDir()}
	for _, name := range []string{"authority", "trust", "node1", "node2"} {
		if err := os.Mkdir(filepath.Join(c.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.tool(certTool)
	return c
}

func (c *certificates) tool(text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.path, "es-gencert-cli"), []byte(text), 0o755); err != nil {
		c.t.Fatal(err)
	}
}

func (c *certificates) run() error {
	command := exec.CommandContext(c.t.Context(), "bash", "eventstore/certificates.sh",
		c.dir, "node1=10.0.0.1", "node2=10.0.0.2")
	command.Env = []string{"PATH=" + c.path + ":" + os.Getenv("PATH")}
	out, err := command.CombinedOutput()
	c.t.Logf("%s", out)
	return err
}

func (c *certificates) read(name string) string {
	c.t.Helper()
	return strings.TrimSpace(readFile(c.t, filepath.Join(c.dir, name)))
}

// Each node has a certificate for its address and its name, signed by the one authority; what is trusted is that alone.
func TestCertificates(t *testing.T) {
	c := newCertificates(t)
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	if c.read("trust/ca.crt") != c.read("authority/ca.crt") {
		t.Error("another authority is trusted")
	}
	authority := c.read("authority/ca.key")
	for name, address := range map[string]string{"node1": "10.0.0.1", "node2": "10.0.0.2"} {
		asked := c.read(name + "/node.crt")
		if !strings.Contains(asked, "-ip-addresses 127.0.0.1,"+address+" -dns-names localhost,"+name+" ") ||
			!strings.HasSuffix(asked, " by "+authority) || !strings.HasPrefix(asked, c.read(name+"/node.key")+" ") {
			t.Errorf("%s: %s", name, asked)
		}
		info, err := os.Stat(filepath.Join(c.dir, name, "node.key"))
		if err != nil || info.Mode().Perm() != 0o400 {
			t.Errorf("%s: the key: %v, %v", name, info, err)
		}
	}
	if _, err := os.Stat(filepath.Join(c.dir, "trust", "ca.key")); err == nil {
		t.Error("the authority's key is where everybody reads")
	}
	before := c.read("node1/node.crt")
	if err := c.run(); err != nil || c.read("node1/node.crt") != before {
		t.Errorf("the second start made others: %v", err)
	}
}

// Without ca.crt the nodes get others from the authority that there is.
func TestCertificatesAreRenewed(t *testing.T) {
	c := newCertificates(t)
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	authority, before := c.read("authority/ca.key"), c.read("node1/node.key")
	if err := os.Remove(filepath.Join(c.dir, "trust", "ca.crt")); err != nil {
		t.Fatal(err)
	}
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	if c.read("authority/ca.key") != authority || c.read("node1/node.key") == before {
		t.Error("the nodes have the old certificates, or the authority is another")
	}
	if !strings.HasSuffix(c.read("node2/node.crt"), " by "+authority) {
		t.Errorf("node2: %s", c.read("node2/node.crt"))
	}
}

// What was cut short is made at the next start, and no start before has said that all is there.
func TestCertificatesAfterAFailure(t *testing.T) {
	c := newCertificates(t)
	c.tool(strings.Replace(certTool, "mkdir", `case $out in */node2) exit 1 ;; esac; mkdir`, 1))
	if err := c.run(); err == nil {
		t.Fatal("it went on without a certificate")
	}
	if _, err := os.Stat(filepath.Join(c.dir, "trust", "ca.crt")); err == nil {
		t.Error("all is said to be there")
	}
	c.tool(certTool)
	if err := c.run(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"node1", "node2"} {
		if !strings.HasSuffix(c.read(name+"/node.crt"), " by "+c.read("authority/ca.key")) {
			t.Errorf("%s: %s", name, c.read(name+"/node.crt"))
		}
	}
}
