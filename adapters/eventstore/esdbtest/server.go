package esdbtest

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/peer"
)

// Limits of the server.
const (
	// MaxAppendBytes is what one append may hold: data, metadata and twice the type of each event, summed.
	MaxAppendBytes = 1 << 20
	// MaxConcurrentStreams is the number of calls at a time on one connection.
	MaxConcurrentStreams = 100

	minPingInterval  = 5 * time.Second
	maxRequestBytes  = 16 << 20
	defaultWriteTime = 2 * time.Second
)

// Options of a Server. The zero value is one node without TLS that lets everybody in.
type Options struct {
	// Nodes is the size of the cluster, 1 by default. Node 0 leads at first.
	Nodes int
	// TLS has all nodes speak TLS, with certificates of an authority of their own.
	TLS bool
	// WrongName gives the nodes certificates for a host of another name. Only with TLS.
	WrongName bool
	// Username and Password are the only credentials that are right. Without a Username everybody may do everything.
	Username, Password string
	// WriteTimeout is how long an append waits for its replication, 2 s by default.
	WriteTimeout time.Duration
	// NoStreamPositions has reads of a stream tell no positions but all ones, as before 22.6.
	NoStreamPositions bool
	// SplitPositions gives events prepare positions that are below their commit positions, as events of the server's
	// explicit transactions have them. By default the two are equal.
	SplitPositions bool
}

// Server is a server, or a cluster of them over one log. Its methods may be called at the same time.
type Server struct {
	tb      testing.TB
	options Options
	tls     *authority // nil without Options.TLS
	nodes   []*Node
	answers gate          // shut while answers are held
	shutter chan struct{} // closed by Close
	once    sync.Once
	random  atomic.Pointer[random] // nil: no faults at random

	mu         sync.Mutex // guards what follows, and the log
	log        *store
	leader     int // index in nodes, noLeader during an election
	epoch      int // how often events were lost
	held       bool
	replicated int
	lag        int      // how many events followers are behind
	denied     []string // prefixes of streams
	readOnly   []string // likewise
	orders     orders

	replication broadcast // when replicated or epoch changes
}

// Node is one node of a Server.
type Node struct {
	streams.UnimplementedStreamsServer
	gossip.UnimplementedGossipServer
	serverfeatures.UnimplementedServerFeaturesServer

	server   *Server
	index    int
	id       uuid.UUID
	endpoint *net.TCPAddr
	grpc     *grpc.Server
	serving  sync.WaitGroup

	visible atomic.Int64 // how many events of the log reads show
	changed broadcast    // when visible changes

	mu            sync.Mutex // guards what follows
	listener      net.Listener
	connections   map[string]net.Conn // by their remote addresses
	subscriptions map[*subscription]struct{}
}

// New starts a server that ends with the test.
func New(tb testing.TB, options Options) *Server {
	tb.Helper()
	options.Nodes = max(options.Nodes, 1)
	if options.WriteTimeout == 0 {
		options.WriteTimeout = defaultWriteTime
	}
	s := &Server{tb: tb, options: options, log: newStore(options.SplitPositions), shutter: make(chan struct{})}
	if options.TLS {
		s.tls = newAuthority(tb, options.WrongName)
	}
	tb.Cleanup(s.Close)
	for i := range options.Nodes {
		n, err := s.newNode(i)
		if err != nil {
			tb.Fatalf("esdbtest: %v", err)
		}
		s.nodes = append(s.nodes, n)
	}
	for _, n := range s.nodes {
		n.serve(n.listener)
	}
	return s
}

func (s *Server) newNode(index int) (*Node, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n := &Node{
		server: s, index: index, id: uuid.New(), endpoint: listener.Addr().(*net.TCPAddr), listener: listener,
		connections: map[string]net.Conn{}, subscriptions: map[*subscription]struct{}{},
	}
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxConcurrentStreams(MaxConcurrentStreams),
		grpc.MaxRecvMsgSize(maxRequestBytes),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: minPingInterval, PermitWithoutStream: true,
		}),
		grpc.UnaryInterceptor(n.unary),
		grpc.StreamInterceptor(n.stream),
		grpc.WaitForHandlers(true),
	}
	if s.tls != nil {
		options = append(options, grpc.Creds(credentials.NewServerTLSFromCert(&s.tls.node)))
	}
	n.grpc = grpc.NewServer(options...)
	streams.RegisterStreamsServer(n.grpc, n)
	gossip.RegisterGossipServer(n.grpc, gossipService{n})
	serverfeatures.RegisterServerFeaturesServer(n.grpc, n)
	return n, nil
}

// serve takes connections from a listener, until it is closed.
func (n *Node) serve(listener net.Listener) {
	n.serving.Add(1)
	go func() {
		defer n.serving.Done()
		_ = n.grpc.Serve(&tracking{listener, n}) // the error only says that the listener was closed
	}()
}

// Close ends all nodes and their connections, and waits until nothing of them runs any more.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.shutter)
		for _, n := range s.nodes {
			n.grpc.Stop()
			n.serving.Wait()
		}
	})
}

// Node returns the node with an index from 0 on.
func (s *Server) Node(index int) *Node { return s.nodes[index] }

// ConnectionString is how a client connects: to one node, or to a cluster by the addresses of all its nodes.
func (s *Server) ConnectionString() string {
	addresses := make([]string, len(s.nodes))
	for i, n := range s.nodes {
		addresses[i] = n.Address()
	}
	return s.connectionString("esdb", strings.Join(addresses, ","))
}

// DiscoverString is the connection string by which a client finds the cluster through one address, node 0's, as it
// would through a name in DNS.
func (s *Server) DiscoverString() string {
	return s.connectionString("esdb+discover", s.nodes[0].Address())
}

// ConnectionString is how a client connects to this node alone.
func (n *Node) ConnectionString() string { return n.server.connectionString("esdb", n.Address()) }

// Address is the node's host and port.
func (n *Node) Address() string { return n.endpoint.String() }

func (s *Server) connectionString(scheme, addresses string) string {
	query := "tls=false"
	if s.tls != nil {
		query = "tls=true&tlsCAFile=" + url.QueryEscape(s.tls.file)
	}
	user := ""
	if s.options.Username != "" {
		user = url.UserPassword(s.options.Username, s.options.Password).String() + "@"
	}
	return fmt.Sprintf("%s://%s%s?%s", scheme, user, addresses, query)
}

// CAFile is the path of the authority's certificate in PEM, empty without TLS.
func (s *Server) CAFile() string {
	if s.tls == nil {
		return ""
	}
	return s.tls.file
}

// tracking is a listener whose connections its node can drop.
type tracking struct {
	net.Listener
	node *Node
}

func (l *tracking) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tracked := &connection{c, l.node}
	l.node.mu.Lock()
	defer l.node.mu.Unlock()
	l.node.connections[c.RemoteAddr().String()] = tracked
	return tracked, nil
}

// connection is one of a client's.
type connection struct {
	net.Conn
	node *Node
}

func (c *connection) Close() error {
	c.node.mu.Lock()
	if remote := c.RemoteAddr().String(); c.node.connections[remote] == c {
		delete(c.node.connections, remote)
	}
	c.node.mu.Unlock()
	return c.Conn.Close()
}

// dropCaller closes the connection of a call.
func (n *Node) dropCaller(ctx context.Context) {
	if caller, ok := peer.FromContext(ctx); ok {
		n.mu.Lock()
		c := n.connections[caller.Addr.String()]
		n.mu.Unlock()
		if c != nil {
			_ = c.Close() // the client sees it either way
		}
	}
}

// broadcast wakes all who wait.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{} // nil while nobody waits
}

// next returns a channel that the next notify closes.
func (b *broadcast) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) notify() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}

// gate is open or shut.
type gate struct {
	mu sync.Mutex
	ch chan struct{} // nil while it is open
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ch == nil {
		g.ch = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ch != nil {
		close(g.ch)
		g.ch = nil
	}
}

// opened returns a channel that is closed when the gate opens, nil if it is open.
func (g *gate) opened() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ch
}
