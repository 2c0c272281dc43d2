package auth

import (
	"fmt"
	"slices"
)

// Role is what somebody may do.
type Role string

// The roles. Each of the first three may do all that the one before may. Ingest
// is for tokens alone: it may push data and nothing else, not even read.
const (
	Viewer Role = "viewer"
	Editor Role = "editor"
	Admin  Role = "admin"
	Ingest Role = "ingest"
)

// Public is what a Rule needs where nobody has to log in. Nobody has this role.
const Public Role = "public"

// userRoles are those of people, least first.
var userRoles = []Role{Viewer, Editor, Admin}

// rank is the place among the roles of people; 0 for others.
func (r Role) rank() int { return slices.Index(userRoles, r) + 1 }

// May tells whether somebody with role r may do what needs the role need.
func (r Role) May(need Role) bool {
	switch need {
	case Public:
		return true
	case Ingest:
		return r == Ingest || r.rank() >= Editor.rank()
	default:
		return need.rank() > 0 && r.rank() >= need.rank()
	}
}

// ParseUserRole reads the role of a person.
func ParseUserRole(s string) (Role, error) {
	if r := Role(s); r.rank() > 0 {
		return r, nil
	}
	return "", fmt.Errorf("role %q does not exist: choose viewer, editor or admin", s)
}

// ParseTokenRole reads the role of a token.
func ParseTokenRole(s string) (Role, error) {
	if r := Role(s); r == Ingest || r.rank() > 0 {
		return r, nil
	}
	return "", fmt.Errorf("role %q does not exist: choose ingest, viewer, editor or admin", s)
}
