package files_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelwatch/modelwatch/config/edit"
)

// placed serves files with a place for new ones, which has one already.
func placed(t *testing.T) (s *served, dir string) {
	s = serve(t)
	dir = filepath.Join(s.dir, "rules")
	require.NoError(t, os.RemoveAll(filepath.Join(s.dir, "..data"))) // Else all of it would be a ConfigMap.
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "there.yml"), []byte("groups: []\n"), 0o600))
	s.owner.places = []edit.Place{
		{Dir: dir, Patterns: []string{"*.yml"}, NamedBy: filepath.Join(s.dir, "alertmanager.yml")},
		{Dir: filepath.Join(s.dir, "fresh"), Patterns: []string{"*.rules"}},
	}
	return s, dir
}

func (s *served) kinds(id string) (kinds, ids []string) {
	_, list := s.ask("GET", "/files/"+id+"/versions", nil)
	for _, v := range list["versions"].([]any) {
		v := v.(map[string]any)
		kinds = append(kinds, v["kind"].(string))
		ids = append(ids, jsonText(v["id"]))
	}
	return kinds, ids
}

// Made, taken back, and brought back: each is a version of one history.
func TestCreateRemoveAndBringBack(t *testing.T) {
	t.Parallel()
	s, dir := placed(t)
	text := "groups: []\n# mine\n"
	status, checked := s.ask("POST", "/files/check", body{"directory": dir, "name": "new.yml", "text": text})
	require.Equal(t, []any{200, true}, []any{status, checked["ok"]})
	require.NoFileExists(t, filepath.Join(dir, "new.yml"), "checking makes nothing")
	status, made := s.ask("POST", "/files", body{"directory": dir, "name": "new.yml", "text": text, "comment": "first"})
	require.Equal(t, 201, status, made)
	require.Equal(t, []any{text, true, "rules"}, []any{made["text"], made["editable"], made["kind"]})
	require.Equal(t, text, s.disk("rules/new.yml"))
	require.Equal(t, 1, s.owner.loaded)
	info, err := os.Stat(filepath.Join(dir, "new.yml"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode().Perm(), "as the file that names it")
	id := s.id("new.yml")
	kinds, ids := s.kinds(id)
	require.Equal(t, []string{"created", "absent"}, kinds)

	// Back to before: there is no such file.
	status, answer := s.ask("POST", "/files/"+id+"/versions/"+ids[1]+"/restore", body{"tag": "of another text"})
	require.Equal(t, 409, status)
	require.Equal(t, text, answer["current"].(body)["text"])
	status, gone := s.ask("POST", "/files/"+id+"/versions/"+ids[1]+"/restore", body{"tag": made["tag"], "comment": "not needed"})
	require.Equal(t, 200, status, gone)
	require.Equal(t, []any{false, "removed", ""}, []any{gone["editable"], gone["reason"].(body)["code"], gone["text"]})
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing of it is left")
	require.Equal(t, 2, s.owner.loaded)
	require.Equal(t, id, s.id("new.yml"), "it is still listed")
	status, _ = s.ask("PUT", "/files/"+id, body{"text": text, "tag": gone["tag"]})
	require.Equal(t, 403, status)

	// And forth again.
	kinds, ids = s.kinds(id)
	require.Equal(t, []string{"removed", "created", "absent"}, kinds)
	status, back := s.ask("POST", "/files/"+id+"/versions/"+ids[1]+"/restore", body{"tag": gone["tag"]})
	require.Equal(t, 200, status, back)
	require.Equal(t, text, s.disk("rules/new.yml"))
	kinds, _ = s.kinds(id)
	require.Equal(t, []string{"restored", "removed", "created", "absent"}, kinds)
}

func TestTheFirstFileMakesItsDirectory(t *testing.T) {
	t.Parallel()
	s, _ := placed(t)
	_, list := s.ask("GET", "/files", nil)
	require.Equal(t, []any{false, true}, []any{list["places"].([]any)[1].(body)["exists"], list["places"].([]any)[1].(body)["editable"]})
	in := body{"directory": filepath.Join(s.dir, "fresh"), "name": "a.rules", "text": "groups: []\n"}
	s.owner.reload = errors.New("not now")
	status, answer := s.ask("POST", "/files", in)
	require.Equal(t, 422, status)
	require.Contains(t, answer["error"], "not now")
	require.NoDirExists(t, filepath.Join(s.dir, "fresh"))
	require.Equal(t, 2, s.owner.loaded, "what is on disk again was taken over again")
	status, _ = s.ask("POST", "/files", in)
	require.Equal(t, 201, status)
	require.Equal(t, "groups: []\n", s.disk("fresh/a.rules"))
}

func TestNewNamesAreChecked(t *testing.T) {
	t.Parallel()
	s, dir := placed(t)
	outside := t.TempDir()
	link := filepath.Join(s.dir, "link")
	require.NoError(t, os.Symlink(outside, link))
	require.NoError(t, os.Symlink(filepath.Join(outside, "nothing.yml"), filepath.Join(dir, "dangling.yml")))
	locked := filepath.Join(s.dir, "locked")
	require.NoError(t, os.Mkdir(locked, 0o555))
	mounted := filepath.Join(s.dir, "mounted")
	require.NoError(t, os.MkdirAll(filepath.Join(mounted, "..data"), 0o755))
	s.owner.places = append(s.owner.places, edit.Place{Dir: link, Patterns: []string{"*"}}, edit.Place{Dir: outside, Patterns: []string{"*"}},
		edit.Place{Dir: locked, Patterns: []string{"*"}}, edit.Place{Dir: mounted, Patterns: []string{"*"}},
		edit.Place{Dir: s.dir, Patterns: []string{"web.yml"}})
	require.NoError(t, os.Remove(filepath.Join(s.dir, "web.yml")))
	before := len(s.memory.versions)
	for name, c := range map[string]struct {
		dir, name string
		status    int
		says      string
	}{
		"no name":            {dir, "", 422, "has no name"},
		"traversal":          {dir, "../up.yml", 422, "is a path, not a name"},
		"absolute":           {dir, "/etc/up.yml", 422, "is a path, not a name"},
		"backslash":          {dir, `..\up.yml`, 422, "is a path, not a name"},
		"dots":               {dir, "..", 422, "not a good name"},
		"hidden":             {dir, ".hidden.yml", 422, "not a good name"},
		"draft":              {dir, ".a.yml.modelwatch-draft", 422, "not a good name"},
		"space":              {dir, "a b.yml", 422, "not a good name"},
		"NUL":                {dir, "a\x00.yml", 422, "not a good name"},
		"line":               {dir, "a\n.yml", 422, "not a good name"},
		"long":               {dir, strings.Repeat("a", 250) + ".yml", 422, "too long"},
		"ending":             {dir, "new.yaml", 422, "*.yml"},
		"no directory":       {"", "new.yml", 422, "no pattern of rule_files covers"},
		"other directory":    {s.dir + "/elsewhere", "new.yml", 422, "add a pattern such as rules/*.yml to rule_files"},
		"directory upwards":  {dir + "/../rules", "new.yml", 422, "no pattern of rule_files covers"},
		"root":               {"/etc", "new.yml", 422, "no pattern of rule_files covers"},
		"taken":              {dir, "there.yml", 409, "choose another name"},
		"taken by a link":    {dir, "dangling.yml", 409, "choose another name"},
		"link to outside":    {link, "new.yml", 403, "outside"},
		"outside":            {outside, "new.yml", 403, "outside"},
		"locked":             {locked, "new.yml", 403, "may not write"},
		"ConfigMap":          {mounted, "new.yml", 403, "ConfigMap"},
		"never to be shown":  {s.dir, "web.yml", 409, "choose another name"},
		"a broken text":      {dir, "broken.yml", 422, "broken.yml"},
		"too long a comment": {dir, "comment.yml", 422, "comment"},
	} {
		in := body{"directory": c.dir, "name": c.name, "text": "groups: []\n"}
		if name == "a broken text" {
			in["text"] = "groups: [\n"
		} else if name != "too long a comment" {
			status, answer := s.ask("POST", "/files/check", in)
			require.Equal(t, c.status, status, name)
			require.Contains(t, answer["error"], c.says, name)
		}
		if name == "too long a comment" {
			in["comment"] = strings.Repeat("x", 2000)
		}
		status, answer := s.ask("POST", "/files", in)
		require.Equal(t, c.status, status, "%s: %v", name, answer)
		require.Contains(t, answer["error"], c.says, name)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing was made")
	entries, err = os.ReadDir(outside)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.NoFileExists(t, filepath.Join(s.dir, "web.yml"))
	require.Len(t, s.memory.versions, before)
	require.Zero(t, s.owner.loaded)

	s.may = false
	status, answer := s.ask("POST", "/files", body{"directory": dir, "name": "new.yml", "text": "groups: []\n"})
	require.Equal(t, 403, status)
	require.Contains(t, answer["error"], "admin")
	status, _ = s.ask("POST", "/files", body{"directory": dir, "name": "new.yml"})
	require.Equal(t, 400, status)
}

// A crash while a file is made or removed leaves a history that says the truth.
func TestHistoryAfterACrashOfCreating(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		disk *string
		last edit.VersionKind
		want []string
	}{
		"reserved, not written": {new(string), "creating", []string{"outside", "absent"}},
		"written":               {new("groups: []\n"), "creating", []string{"created", "absent"}},
		"not yet removed":       {new("groups: []\n"), "removing", []string{"outside", "absent"}},
		"removed":               {nil, "removing", []string{"removing", "absent"}},
	} {
		s, dir := placed(t)
		path := filepath.Join(dir, "new.yml")
		if c.disk != nil {
			require.NoError(t, os.WriteFile(path, []byte(*c.disk), 0o600))
		}
		last := edit.Version{ID: 2, Path: path, Kind: c.last}
		if c.last == "creating" {
			last.Text = []byte("groups: []\n")
		}
		s.memory.versions = []edit.Version{{ID: 1, Path: path, Kind: edit.Absent}, last}
		kinds, _ := s.kinds(s.id("new.yml"))
		require.Equal(t, c.want, kinds, name)
	}
}
