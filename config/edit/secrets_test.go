package edit

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const receivers = `# smtp_auth_password: old-hunter
global:
  smtp_smarthost: mail:25
  smtp_auth_password: 'S3cret: ''quoted'''   # of mail
  slack_api_url: https://hooks.example.org/T0/B0/abcdef
route: {receiver: mail}
receivers:
  - name: mail
    email_configs:
      - to: ops@example.org
        auth_password: "pa\"ss\u00e9"
        auth_password_file: /run/pw
  - name: chat
    webhook_configs:
      - url: http://10.0.0.1/hook?token=1
        http_config:
          authorization: {type: Bearer, credentials: tok, credentials_file: ''}
          basic_auth:
            username: me
            password: |-
              two
              lines
  - name: 好
    pagerduty_configs: [{routing_key: pd-key, url: 'https://pd.example.org'}]
`

var hiddenValues = []string{"hunter", "S3cret", "hooks.example.org", "pa\\\"ss", "token=1", " tok", "two", "lines", "pd-key"}

func TestHideShowsNoSecretAndAllElse(t *testing.T) {
	t.Parallel()
	shown, n, err := Hide([]byte(receivers))
	require.NoError(t, err)
	require.Equal(t, 8, n)
	for _, s := range hiddenValues {
		require.NotContains(t, string(shown), s)
	}
	for _, s := range []string{"/run/pw", "https://pd.example.org", "username: me", "# of mail", "smtp_auth_password: '<secret>'   # of mail", "to: ops@example.org"} {
		require.Contains(t, string(shown), s)
	}
}

func TestRestoreGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	shown, _, err := Hide([]byte(receivers))
	require.NoError(t, err)
	full, problems := Restore("a.yml", shown, []byte(receivers))
	require.Empty(t, problems)
	require.Equal(t, receivers, string(full))
}

func TestRestoreFollowsWhatMoved(t *testing.T) {
	t.Parallel()
	shown, _, err := Hide([]byte(receivers))
	require.NoError(t, err)
	replace := func(old, with string) string {
		require.Contains(t, string(shown), old)
		return strings.Replace(string(shown), old, with, 1)
	}
	for name, c := range map[string]struct {
		draft string
		want  []string // Parts of the full text, or of the problem after "!".
	}{
		"a receiver before the others": {
			replace("receivers:\n", "receivers:\n  - name: new\n"),
			[]string{`auth_password: "pa\"ss\u00e9"`, "credentials: tok,", "routing_key: pd-key"},
		},
		"a receiver taken out": {
			replace("  - name: mail\n    email_configs:\n      - to: ops@example.org\n        auth_password: \"<secret>\"\n        auth_password_file: /run/pw\n", ""),
			[]string{"url: http://10.0.0.1/hook?token=1", "routing_key: pd-key"},
		},
		"a receiver renamed":               {replace("- name: chat", "- name: talk"), []string{"name: talk", "credentials: tok,"}},
		"other quotes":                     {replace(`"<secret>"`, `<secret>`), []string{`auth_password: "pa\"ssé"`}},
		"a new value":                      {replace(`"<secret>"`, `fresh`), []string{"auth_password: fresh", "S3cret"}},
		"a placeholder elsewhere":          {replace("username: me", "username: <secret>"), []string{"!a.yml:19: <secret> stands where the file has no hidden value"}},
		"a receiver renamed and changed":   {replace("- name: mail\n    email_configs:\n      - to: ops@example.org", "- name: post\n    email_configs:\n      - to: dev@example.org"), []string{"!no hidden value"}},
		"a second item in an unnamed list": {replace("      - to: ops@example.org\n", "      - to: dev@example.org\n        auth_password: <secret>\n      - to: ops@example.org\n"), []string{"!a.yml:11: <secret> stands"}},
		"part of a value":                  {replace(`"<secret>"`, `"my <secret>"`), []string{"!only a part"}},
		"not YAML":                         {replace("route: {", "route: {{"), []string{"!a.yml:"}},
		"a comment":                        {replace("# smtp_auth_password: <secret>\n", "# smtp_auth_passwd: <secret>\n"), []string{"!a.yml:1: <secret> stands in a comment"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			full, problems := Restore("a.yml", []byte(c.draft), []byte(receivers))
			for _, w := range c.want {
				if reason, bad := strings.CutPrefix(w, "!"); bad {
					require.Error(t, problems.Err())
					require.Contains(t, problems.Err().Error(), reason)
					for _, s := range hiddenValues {
						require.NotContains(t, problems.Err().Error(), s)
					}
					continue
				}
				require.NoError(t, problems.Err())
				require.Contains(t, string(full), w)
				require.NotContains(t, string(full), Hidden)
			}
		})
	}
}

// Two receivers that differ in nothing but their secrets keep their own.
func TestRestoreDoesNotMixEqualItems(t *testing.T) {
	t.Parallel()
	const text = "receivers:\n  - name: a\n    webhook_configs:\n      - url: http://one/1\n      - url: http://two/2\n"
	shown, _, err := Hide([]byte(text))
	require.NoError(t, err)
	full, problems := Restore("a.yml", shown, []byte(text))
	require.Empty(t, problems)
	require.Equal(t, text, string(full))
	// With one of the two gone nobody can tell which it was.
	_, problems = Restore("a.yml", []byte("receivers:\n  - name: a\n    webhook_configs:\n      - url: <secret>\n"), []byte(text))
	require.Error(t, problems.Err())
}

func TestHideOtherFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"remote write": {
			"remote_write:\n  - url: https://me:pw@store/push\n    headers: {Authorization: Basic abc, X-Scope: team}\n",
			"remote_write:\n  - url: <secret>\n    headers: {Authorization: <secret>, X-Scope: team}\n",
		},
		"parameter": {"remote_read:\n- url: https://store/read?team=a&api_key=k1\n- url: https://store/read?team=a\n", "remote_read:\n- url: <secret>\n- url: https://store/read?team=a\n"},
		"http headers": {
			"scrape_configs:\n- job_name: a\n  http_headers:\n    X-Api-Key: {secrets: [k1, \"k2\"]}\n    X-Team: {values: [t]}\n",
			"scrape_configs:\n- job_name: a\n  http_headers:\n    X-Api-Key: {secrets: [<secret>, \"<secret>\"]}\n    X-Team: {values: [t]}\n",
		},
		"json":    {"[\n\t{\"targets\": [\"a:1\"], \"labels\": {\"__param_token\": \"t0\"}}\n]\n", "[\n\t{\"targets\": [\"a:1\"], \"labels\": {\"__param_token\": \"<secret>\"}}\n]\n"},
		"alias":   {"x: &pw hunter2\ny: {password: *pw}\n", "x: &pw <secret>\ny: {password: *pw}\n"},
		"rules":   {"groups:\n- name: a\n  rules:\n  - {alert: A, expr: up == 0}\n", "groups:\n- name: a\n  rules:\n  - {alert: A, expr: up == 0}\n"},
		"empty":   {"", ""},
		"comment": {"# nothing yet\n", "# nothing yet\n"},
		"windows": {"a: 1\r\npassword: x\r\nb: 2\r\n", "a: 1\r\npassword: <secret>\r\nb: 2\r\n"},
		"bom":     {"\ufeffpassword: x\n", "\ufeffpassword: <secret>\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shown, _, err := Hide([]byte(c.text))
			require.NoError(t, err)
			require.Equal(t, c.want, string(shown))
			full, problems := Restore("f", shown, []byte(c.text))
			require.Empty(t, problems)
			require.Equal(t, c.text, string(full))
		})
	}
	_, _, err := Hide([]byte("password: over\n  two lines\n"))
	require.ErrorIs(t, err, errUnclear)
}

func TestRedact(t *testing.T) {
	t.Parallel()
	text := []byte("password: hunter2-hunter2\n")
	require.Equal(t, "cannot unmarshal !!str `<secret>` into int; <secret>", Redact("cannot unmarshal !!str `hunter2...` into int; hunter2-hunter2", text))
}

func FuzzHide(f *testing.F) {
	f.Add(receivers)
	f.Add("a: 1\npassword: x\n")
	f.Add("password: >\n  x\n\n  y\nb: [{token: 'a'}, &z {key: *z}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		shown, _, err := Hide([]byte(text))
		if err != nil {
			return
		}
		full, problems := Restore("f", shown, []byte(text))
		if problems.Err() == nil && string(full) != text && !strings.Contains(text, Hidden) {
			t.Fatalf("%q became %q by way of %q", text, full, shown)
		}
	})
}

// What the libraries call secrets is hidden.
func TestSecretSettings(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"password", "bearer_token", "credentials", "client_secret", "smtp_auth_password", "slack_api_url", "api_key", "routing_key", "service_key", "webhook_url", "bot_token", "auth_secret", "secrets"} {
		require.True(t, isSecret(name, ""), name)
	}
	for _, name := range []string{"expr", "url", "alert", "for", "password_file", "targets", "to", "job_name", "replacement", "key_file", "ca"} {
		require.False(t, isSecret(name, ""), name)
	}
	require.True(t, isSecret("url", "webhook_configs"))
}
