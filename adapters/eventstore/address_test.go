package eventstore

import (
	"strings"
	"testing"
	"time"

	"github.com/tweiledger/tweiledger/adapters/eventstore/esdbtest"
)

func TestAddresses(t *testing.T) {
	for _, test := range []struct {
		address, says string
		seeds         string
		cluster       bool
	}{
		{"esdb://node:2113", "esdb://node:2113", "node:2113", false},
		{"esdb://node?tls=false", "esdb://node:2113", "node:2113", false},
		{"esdb://admin:pa%40ss@node:1?tlsVerifyCert=false", "esdb://node:1", "node:1", false},
		{"esdb://admin:a,b;c$d@node:1", "esdb://node:1", "node:1", false},
		{"esdb+discover://cluster.example:2113", "esdb+discover://cluster.example:2113", "cluster.example:2113", true},
		{"esdb://a:1,b:2,c", "esdb://a:1,b:2,c:2113", "a:1 b:2 c:2113", true},
		{"esdb+discover://a,b,c", "esdb://a:2113,b:2113,c:2113", "a:2113 b:2113 c:2113", true},
		{"esdb://u:p@a:1,b:2?keepAliveInterval=20000", "esdb://a:1,b:2", "a:1 b:2", true},
	} {
		got, err := ParseAddress(test.address)
		if err != nil {
			t.Errorf("%s: %v", test.address, err)
			continue
		}
		seeds := strings.Join(got.seeds(), " ")
		if got.String() != test.says || seeds != test.seeds || got.isCluster() != test.cluster {
			t.Errorf("%s: %s with %s, a cluster: %v", test.address, got, seeds, got.isCluster())
		}
	}
	got, err := ParseAddress("esdb://admin:p%40%2Fs:@node:1?defaultDeadline=250")
	if err != nil {
		t.Fatal(err)
	}
	c := got.config
	if c.Username != "admin" || c.Password != "p@/s:" || c.DisableTLS || got.deadline() != 250*time.Millisecond {
		t.Errorf("%q %q, tls off: %v, %v", c.Username, c.Password, c.DisableTLS, got.deadline())
	}
}

func TestSharesHost(t *testing.T) {
	for _, test := range []struct {
		one, other string
		want       bool
	}{
		{"esdb://node?tls=false", "esdb://admin:secret@node:2113", true},
		{"esdb://a,b:1", "esdb+discover://c,b:1", true},
		{"esdb+discover://a", "esdb://a", true},
		{"esdb://a:1", "esdb://a:2", false},
		{"esdb://a,b", "esdb://c,d", false},
	} {
		one, err := ParseAddress(test.one)
		if err != nil {
			t.Fatal(err)
		}
		other, err := ParseAddress(test.other)
		if err != nil {
			t.Fatal(err)
		}
		if one.SharesHost(other) != test.want || other.SharesHost(one) != test.want {
			t.Errorf("%s and %s: %v", one, other, !test.want)
		}
	}
}

func TestRefusedAddresses(t *testing.T) {
	for address, why := range map[string]string{
		"":                                               "esdb://",
		"node:2113":                                      "esdb://",
		"http://node:2113":                               "esdb://",
		"kurrentdb://node:2113":                          "esdb://",
		"esdb://":                                        "host",
		"esdb://node:port":                               "port",
		"esdb://node:2113/db":                            "path",
		"esdb://a,,b":                                    "empty host",
		"esdb://node?tls=maybe":                          "tls",
		"esdb://node?%zz":                                "settings",
		"esdb://node?nodePreference=any":                 `"nodePreference"`,
		"esdb://node?maxDiscoverAttempts=3":              `"maxDiscoverAttempts"`,
		"esdb://node?tls=false&TLS=true":                 "twice",
		"esdb://node?tls=false&tls=true":                 "twice",
		"esdb://node?tls=false&gossipTimeout=0":          "gossipTimeout",
		"esdb://node?tls=false&defaultDeadline=0":        "defaultDeadline",
		"esdb://node?tls=false&defaultDeadline=soon":     "defaultDeadline",
		"esdb://node?tlsCAFile=/no/such/file":            "/no/such/file",
		"esdb://node?userCertFile=/a":                    "userKeyFile",
		"esdb://node?userCertFile=/no/c&userKeyFile=/k":  "/no/c",
		"esdb://admin:secret@node?tls=false":             "TLS only",
		"esdb+discover://admin:secret@node?tls=false":    "TLS only",
		"esdb://admin:secret@node1:1,node2?tls=false":    "TLS only",
		"esdb://admin@node":                              "belong together",
		"esdb://:secret@node":                            "belong together",
		"esdb://admin:secret@node:port":                  "port",
		"esdb://admin:secret@node?password=1":            `"password"`,
		"esdb://admin:sec/ret@node":                      "%XX",
		"esdb://admin:sec?ret=1@node":                    "%XX",
		"esdb://admin:sec#ret@node":                      "%XX",
		"esdb://admin:sec%zzret@node":                    "%XX",
		"esdb://admin:sec ret@node":                      "%XX",
		"esdb://admin:sec\x7fret@node":                   "%XX",
		"esdb://admin:secret@node?tlsCAFile=/certs@home": "%XX",
		"esdb://admin:sec,ret@node:port":                 "port",
	} {
		_, err := ParseAddress(address)
		switch {
		case err == nil:
			t.Errorf("%q is accepted", address)
		case !strings.Contains(err.Error(), why):
			t.Errorf("%q: %v, want %q", address, err, why)
		case strings.Contains(address, "@") && (strings.Contains(err.Error(), "sec") || strings.Contains(err.Error(), "ret")):
			t.Errorf("%q: the error tells of the password: %v", address, err)
		}
	}
}

func TestPrefixes(t *testing.T) {
	for prefix, valid := range map[string]bool{
		"tweiledger.": true, "a": true, strings.Repeat("a", 100): true,
		"": false, strings.Repeat("a", 101): false, "$ledger": false, "a b": false, "ä": false, "a\x00": false,
	} {
		if err := ValidPrefix(prefix); (err == nil) != valid {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	address, err := ParseAddress(double(t, esdbtest.Options{}).ConnectionString())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(address, Options{Prefix: "a b"}); err == nil {
		t.Error("a log was opened under a prefix that can be none")
	}
}
