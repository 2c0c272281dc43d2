package notify

import (
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"

	amcommoncfg "github.com/prometheus/alertmanager/config/common"

	"github.com/prometheus/alertmanager/config"
	commoncfg "github.com/prometheus/common/config"
)

const hidden = "<secret>"

// minSecretLength keeps trivial secrets from garbling every message.
const minSecretLength = 4

// urlInText finds URLs in the text of an error; what follows the host is where
// webhooks carry their tokens.
var urlInText = regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)(?:[^\s/"'<>@]*@)?([^\s/"'<>?#]+)([/?#][^\s"'<>]*)?`)

// redactor takes the secrets of one configuration out of texts.
type redactor struct {
	replacer *strings.Replacer
}

// newRedactor collects the secrets of cfg. Without a configuration it only cuts
// URLs.
func newRedactor(cfg *config.Config) *redactor {
	found := map[string]struct{}{}
	collectSecrets(reflect.ValueOf(cfg), found, map[uintptr]bool{})
	secrets := make([]string, 0, len(found))
	for s := range found {
		if len(s) >= minSecretLength && s != hidden {
			secrets = append(secrets, s)
		}
	}
	// Longer ones first, so that a secret is not cut by another that it contains.
	slices.SortFunc(secrets, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	pairs := make([]string, 0, 2*len(secrets))
	for _, s := range secrets {
		pairs = append(pairs, s, hidden)
	}
	return &redactor{replacer: strings.NewReplacer(pairs...)}
}

// text returns s without secrets, and with each URL cut after its host.
func (r *redactor) text(s string) string {
	s = r.replacer.Replace(s)
	return urlInText.ReplaceAllStringFunc(s, func(u string) string {
		m := urlInText.FindStringSubmatch(u)
		if len(m[3]) > 1 {
			return m[1] + m[2] + "/<redacted>"
		}
		return m[1] + m[2] + m[3]
	})
}

// err returns an error whose text holds no secrets. The original stays reachable
// for errors.Is and errors.As, not for those who print.
func (r *redactor) err(err error) error {
	if err == nil {
		return nil
	}
	return &redactedError{text: r.text(err.Error()), err: err}
}

type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

var (
	secretType            = reflect.TypeFor[commoncfg.Secret]()
	secretURLType         = reflect.TypeFor[amcommoncfg.SecretURL]()
	secretTemplateURLType = reflect.TypeFor[config.SecretTemplateURL]()
	commonTemplateURLType = reflect.TypeFor[amcommoncfg.SecretTemplateURL]()
	urlType               = reflect.TypeFor[url.URL]()
)

// collectSecrets walks v and adds every secret to found. Each pointer is followed
// once.
func collectSecrets(v reflect.Value, found map[string]struct{}, seen map[uintptr]bool) {
	if !v.IsValid() {
		return
	}
	switch v.Type() {
	case secretType, secretTemplateURLType, commonTemplateURLType:
		s := v.String()
		found[s] = struct{}{}
		if u, err := url.Parse(s); err == nil && u.Host != "" {
			addURL(u, found, true)
		}
		return
	case secretURLType:
		if v.CanInterface() {
			if s := v.Interface().(amcommoncfg.SecretURL); s.URL != nil {
				addURL(s.URL, found, true)
			}
		}
		return
	case urlType:
		if v.CanInterface() {
			u := v.Interface().(url.URL)
			addURL(&u, found, false)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return
		}
		seen[v.Pointer()] = true
		collectSecrets(v.Elem(), found, seen)
	case reflect.Interface:
		if !v.IsNil() {
			collectSecrets(v.Elem(), found, seen)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			collectSecrets(field, found, seen)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			collectSecrets(v.Index(i), found, seen)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			collectSecrets(it.Key(), found, seen)
			collectSecrets(it.Value(), found, seen)
		}
	}
}

// addURL adds the secret parts of a URL: its password, and if the URL itself is a
// secret, what follows its host.
func addURL(u *url.URL, found map[string]struct{}, secret bool) {
	if password, ok := u.User.Password(); ok {
		found[password] = struct{}{}
	}
	if secret {
		found[u.String()] = struct{}{}
		found[u.RequestURI()] = struct{}{}
		found[u.Path] = struct{}{}
		found[u.RawQuery] = struct{}{}
	}
}
