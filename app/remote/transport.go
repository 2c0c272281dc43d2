package remote

import "net/http"

// Address is where the server is, without credentials.
func (c *Client) Address() string { return c.base.String() }

// RoundTrip implements http.RoundTripper: it sends a request with the log-in and the
// certificates of the client, for packages that speak a protocol of their own.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	c.login(r)
	return c.http.Transport.RoundTrip(r)
}
