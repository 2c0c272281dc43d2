// Package auth says who may do what over HTTP: users with roles and passwords,
// sessions of browsers, API tokens, log-in by OpenID Connect, the table of
// roles and paths, and the log of who changed what.
//
// It answers below /ai/v1/auth/ and guards every other path as a middleware. It
// is not TLS, not protection against pages of other origins in general (app
// adds net/http's), and it keeps nothing itself: a Store does.
//
// What must stay true: what no rule names needs the role admin; passwords,
// session ids and tokens are stored as hashes alone and never logged; a change
// is in the audit log before it is made; memory is bounded whatever is sent.
package auth
