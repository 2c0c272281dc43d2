package tail

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/collect/tail/forward"
)

// Destination says what a client of a promtail.yml stands for.
type Destination struct {
	// URL is the client's address, without a password.
	URL string
	// Own is true if lines for it go into modelwatch's own store, and not elsewhere.
	Own bool
	// Assumed is true if that follows from there being no such host, and not from the address. Then Why says so.
	Assumed bool
	Why     string
}

// String is a sentence for people.
func (d Destination) String() string {
	if d.Own {
		return fmt.Sprintf("client %s is modelwatch itself: %s", d.URL, d.Why)
	}
	return fmt.Sprintf("client %s is elsewhere: lines go there, too, by way of a queue on disk", d.URL)
}

// lokiPort is the port of a Loki that files were written for.
const lokiPort = "3100"

// Whose are the addresses that mean modelwatch itself.
type Whose struct {
	// Addresses are host:port pairs, such as "loki:3100" in a file that was written for a Loki which modelwatch has
	// replaced. Ports are those that modelwatch listens on: with one of them, localhost and every address and name of
	// this machine mean modelwatch.
	Addresses []string
	Ports     []int
	// lookup finds the addresses of a name; nil asks the resolver.
	lookup func(ctx context.Context, host string) ([]string, error)
}

// destination decides what a client stands for. A host without dots, at Loki's port, that does not exist is the Loki that
// modelwatch has replaced: such names are those of containers beside each other, and lines for it could go nowhere.
func (w Whose) destination(c *forward.Client) Destination {
	u, err := url.Parse(c.URL)
	if err != nil {
		return Destination{URL: c.Name}
	}
	d := Destination{URL: u.Redacted()}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	host := u.Hostname()
	if slices.Contains(w.Addresses, net.JoinHostPort(host, port)) {
		d.Own, d.Why = true, "the address is given as its own"
		return d
	}
	ours := slices.ContainsFunc(w.Ports, func(p int) bool { return port == fmt.Sprint(p) })
	if ours && thisMachine(host) {
		d.Own, d.Why = true, "it is a port of modelwatch on this machine"
		return d
	}
	if !ours && port != lokiPort || net.ParseIP(host) != nil || host == "localhost" {
		return d
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	lookup := w.lookup
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	found, err := lookup(ctx, host)
	switch {
	case err == nil && ours && slices.ContainsFunc(found, thisMachine):
		d.Own, d.Why = true, "the name is one of this machine, and the port one of modelwatch"
	case err != nil && port == lokiPort && !strings.Contains(host, "."):
		d.Own, d.Assumed = true, true
		d.Why = fmt.Sprintf("there is no host %q (%v), so it is taken for the Loki that modelwatch has replaced", host, err)
	}
	return d
}

// Destinations says what each client of a promtail.yml stands for; none for one that cannot be read.
func Destinations(file []byte, w Whose) []Destination {
	config, _ := Read(file)
	if config == nil {
		return nil
	}
	var out []Destination
	for _, c := range config.Clients {
		out = append(out, w.destination(c))
	}
	return out
}

func thisMachine(host string) bool {
	if host == "localhost" {
		return true
	}
	if name, err := os.Hostname(); err == nil && strings.EqualFold(name, host) {
		return true
	}
	ip := net.ParseIP(host)
	if ip == nil {
		return false
	}
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(ip) {
			return true
		}
	}
	return false
}
