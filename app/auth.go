package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/modelwatch/modelwatch/api/auth"
	"github.com/modelwatch/modelwatch/config"
)

// authTimeout bounds reading users and hashing a first password at start.
const authTimeout = 30 * time.Second

// setUpAuth reads users, sessions and tokens, and makes the first admin. Its
// password is told at once: nobody could learn it if a later part failed.
func (a *App) setUpAuth() error {
	c := a.config.Web.Auth
	proxies, err := c.Proxies()
	if err != nil {
		return fmt.Errorf("trusted proxies: %w", err)
	}
	oidc, err := oidcOptions(c.OIDC)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), authTimeout)
	defer cancel()
	var password string
	a.auth, password, err = auth.New(ctx, auth.Options{
		Enabled:        c.Enabled,
		Store:          a.state.Access(),
		Journal:        a.state.Access(),
		ExternalURL:    a.url,
		Secure:         a.url.Scheme == "https",
		SessionTTL:     time.Duration(c.SessionLifetime),
		IdleTimeout:    time.Duration(c.SessionIdle),
		TrustedProxies: proxies,
		OIDC:           oidc,
		ResetAdmin:     a.opts.ResetAdmin,
		Logger:         a.logger,
		Registerer:     a.registry,
	})
	if err != nil {
		return fmt.Errorf("set up authentication: %w", err)
	}
	if password != "" {
		tellPassword(a.opts.Stdout, password)
		a.logger.Info("The user admin has a new password, told on standard output alone")
	}
	return nil
}

// tellPassword shows a password to people, once.
func tellPassword(w io.Writer, password string) {
	fmt.Fprintf(w, "\n  user      admin\n  password  %s\n\n", password)
	fmt.Fprint(w, "This password is shown only now, and must be changed at the first log-in.\n--auth.reset-admin makes a new one.\n\n")
}

// checkResetAdmin refuses a flag that would do nothing.
func checkResetAdmin(o Options, c *config.Config) error {
	if o.ResetAdmin && !c.Web.Auth.Enabled {
		return errors.New("--auth.reset-admin: authentication is off, so there is nobody to log in: set web.auth.enabled in modelwatch.yml, or leave the flag out")
	}
	return nil
}

// checkAuth refuses what would lock everybody out: basic auth of the web config
// takes the header in which tokens are sent.
func checkAuth(c *config.Config) error {
	if c.Web.Auth.Enabled && len(readWebConfig(c.Web.ConfigFile).Users) > 0 {
		return fmt.Errorf("web config %s: basic_auth_users and web.auth cannot be used together, since both read the Authorization header: remove basic_auth_users, and make users on the page", c.Web.ConfigFile)
	}
	return nil
}

func oidcOptions(c *config.OIDC) (*auth.OIDC, error) {
	if c == nil {
		return nil, nil
	}
	o := &auth.OIDC{
		Name: c.Name, Issuer: c.Issuer, ClientID: c.ClientID, Scopes: c.Scopes,
		NameClaim: c.NameClaim, RoleClaim: c.RoleClaim, Roles: map[string]auth.Role{},
		DefaultRole: auth.Role(c.DefaultRole), AllowedEmails: c.AllowedEmails, TrustEmail: c.TrustEmail,
	}
	for group, role := range c.Roles {
		o.Roles[group] = auth.Role(role)
	}
	if c.ClientSecretFile != "" {
		text, err := os.ReadFile(c.ClientSecretFile)
		if err != nil {
			return nil, fmt.Errorf("web.auth.oidc.client_secret_file: %w", err)
		}
		if o.ClientSecret = strings.TrimSpace(string(text)); o.ClientSecret == "" {
			return nil, fmt.Errorf("web.auth.oidc.client_secret_file: %s is empty: put the secret that the issuer gave into it", c.ClientSecretFile)
		}
	}
	return o, nil
}

// routeAuth says who answers the paths of log-in.
func (a *App) routeAuth(mux *http.ServeMux) {
	mux.Handle("/ai/v1/auth/", a.auth.Handler())
}

// warnOpen says so at each start when anybody on the network may change alerts
// and read data, or may read passwords on their way.
func (a *App) warnOpen(w io.Writer) {
	web := a.config.Web
	toolkit := readWebConfig(web.ConfigFile)
	for _, l := range a.listeners {
		tcp, ok := l.Addr().(*net.TCPAddr)
		if !ok || tcp.IP.IsLoopback() {
			continue
		}
		switch {
		case !web.Auth.Enabled && len(toolkit.Users) == 0:
			a.logger.Warn("Listening without authentication on an address that others can reach", "address", l.Addr().String(), "hint", "set web.auth.enabled in modelwatch.yml, or listen on 127.0.0.1")
			fmt.Fprintf(w, "WARNING: %s is open to the network without authentication. Set web.auth.enabled in modelwatch.yml, or listen on 127.0.0.1.\n\n", l.Addr())
		case !hasTLS(web.ConfigFile) && a.url.Scheme != "https":
			a.logger.Warn("Passwords and tokens travel in the clear", "address", l.Addr().String(), "hint", "set tls_server_config in a --web.config.file; if a proxy does TLS, give --web.external-url with https")
			fmt.Fprintf(w, "WARNING: passwords and tokens that are sent to %s can be read on the way. Set tls_server_config in a --web.config.file; if a proxy does TLS, give --web.external-url with https.\n\n", l.Addr())
		}
	}
}
