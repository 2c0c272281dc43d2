package main

import (
	"cmp"

	"github.com/alecthomas/kingpin/v2"

	"github.com/modelwatch/modelwatch/app/remote"
)

// serverFlags adds the flags of commands that ask a running modelwatch. Secrets come
// from files or the environment, never from the command line.
//
// Neither defaults nor variables are left to kingpin, which forgets them all where a
// command has a flag named version, and it is given.
func serverFlags(c *kingpin.CmdClause) *remote.Options {
	o := new(remote.Options)
	c.Flag("url", "Address of modelwatch (default $"+remote.EnvURL+", or "+remote.DefaultURL+").").StringVar(&o.URL)
	c.Flag("token-file", "File with a token to log in with (or set $"+remote.EnvToken+" to the token).").StringVar(&o.TokenFile)
	c.Flag("user", "User to log in as (default $"+remote.EnvUser+").").StringVar(&o.User)
	c.Flag("password-file", "File with the user's password (or set $"+remote.EnvPassword+" to it).").StringVar(&o.PasswordFile)
	c.Flag("ca-file", "Certificates (PEM) of authorities to trust beside the system's.").StringVar(&o.CAFile)
	return o
}

// connect returns a client by the flags and the environment.
func connect(o *remote.Options, env func(string) string) (*remote.Client, error) {
	with := *o
	with.URL, with.User = cmp.Or(o.URL, env(remote.EnvURL)), cmp.Or(o.User, env(remote.EnvUser))
	with.Token, with.Password = env(remote.EnvToken), env(remote.EnvPassword)
	return remote.New(with)
}
