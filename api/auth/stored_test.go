package auth_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/api/auth"
	"github.com/modelwatch/modelwatch/store/state"
)

// TestOnDisk goes through starts on the store that app uses.
func TestOnDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	var db *state.DB
	use := func(o *auth.Options) {
		var err error
		db, err = state.Open(state.Options{Path: path})
		require.NoError(t, err)
		o.Store, o.Journal = db.Access(), db.Access()
	}
	t.Cleanup(func() { _ = db.Close() })
	w := open(t, use)
	admin := w.admin()
	password := w.add(admin, "ann", "editor")
	ann := w.login("ann", password)
	token := w.token(admin, "agent", "ingest", "")
	gone := w.token(admin, "gone", "ingest", "")
	id := admin.do("GET", "/ai/v1/auth/tokens", "").json()["tokens"].([]any)[1].(map[string]any)["id"].(string)
	admin.do("DELETE", "/ai/v1/auth/tokens/"+id, "").is(204)
	before := events(admin)
	require.Equal(t, "revoke the token gone", before[0]["action"])

	// As after kill -9: nothing is closed, nothing is flushed.
	first := db
	w.start(use)
	t.Cleanup(func() { _ = first.Close() })
	require.Empty(t, w.first)
	ann.handler, admin.handler = w.handler, w.handler
	ann.do("POST", "/api/v2/silences", "{}").is(200)
	w.with("Bearer "+token).do("POST", "/v1/logs", "{}").is(200)
	w.with("Bearer "+gone).do("POST", "/v1/logs", "{}").is(401)
	w.login("ann", password)
	after := events(admin)
	require.Equal(t, before, after[len(after)-len(before):])
}
