package scan

import "strings"

// LabelName makes the name of a label of a key: letters, digits and underscores stay, everything else becomes an
// underscore, and an underscore goes before a leading digit. It is "" for a key of white space.
func LabelName(key string) string {
	if plain(key) {
		return key
	}
	key = strings.TrimSpace(key)
	if key == "" {
		return ""
	}
	if key[0] >= '0' && key[0] <= '9' {
		key = "_" + key
	}
	return inner(key)
}

// inner is LabelName for a key that does not stand first in a name, so that a leading digit may stay.
func inner(key string) string {
	return strings.Map(func(r rune) rune {
		if r < 128 && nameByte[r] {
			return r
		}
		return '_'
	}, key)
}

// Nested is the name for a key inside of an object whose own name is parent.
func Nested(parent, key string) string {
	if parent == "" {
		return LabelName(key)
	}
	if plain(key) {
		return parent + "_" + key
	}
	key = strings.TrimSpace(key)
	return parent + "_" + inner(key)
}

var nameByte = func() (t [256]bool) {
	for c := range 128 {
		t[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
	}
	return t
}()

// plain is true for keys that are label names as they are.
func plain(key string) bool {
	if key == "" || key[0] >= '0' && key[0] <= '9' {
		return false
	}
	for i := range len(key) {
		if !nameByte[key[i]] {
			return false
		}
	}
	return true
}

// JSONLabel is what LogQL's `| json` makes of a line for the label of that name, if nothing else has a label of that
// name. It stops at the label, so that a line may be broken behind it. found is false if the line has no such label; the
// error is one of the JSON errors of this package.
func JSONLabel(line, name string) (text string, found bool, err error) {
	return jsonLabel(line, "", name)
}

// JSONWhole is what LogQL's `| json` makes of a line for the label of that name if it reads the line to its end. The error
// is the first in the line; if found is true then it stands behind the label, where JSONLabel does not look.
func JSONWhole(line, name string) (text string, found bool, err error) {
	err = jsonWhole(line, "", name, &text, &found)
	return text, found, err
}

func jsonWhole(object, parent, name string, text *string, found *bool) error {
	return Members(object, func(key string, v Value) error {
		switch {
		case v.Kind == Array, v.Kind == Null:
			return nil
		case v.Kind == Object:
			p := Nested(parent, key)
			if p != "" && (len(name) < len(p)+1 || name[:len(p)] != p || name[len(p)] != '_') {
				return nil
			}
			return jsonWhole(v.Raw, p, name, text, found)
		case parent == "" && len(key)+1 < len(name): // a name is at most one longer than its key
			return nil
		case !(parent == "" && key == name) && Nested(parent, key) != name:
			return nil
		}
		t, err := v.Text()
		if err == nil && !*found {
			*text, *found = t, true
		}
		return err
	})
}

func jsonLabel(object, parent, name string) (text string, found bool, err error) {
	err = Members(object, func(key string, v Value) error {
		if v.Kind == Array || v.Kind == Null {
			return nil
		}
		// A name is at most one longer than its key, by the underscore before a digit.
		if v.Kind != Object && parent == "" && len(key)+1 < len(name) {
			return nil
		}
		if v.Kind != Object && parent == "" && key == name || Nested(parent, key) == name && v.Kind != Object {
			t, err := v.Text()
			if err != nil {
				return err
			}
			text, found = t, true
			return ErrStop
		}
		if v.Kind == Object {
			p := Nested(parent, key)
			if p != "" && (len(name) < len(p)+1 || name[:len(p)] != p || name[len(p)] != '_') {
				return nil
			}
			t, ok, err := jsonLabel(v.Raw, p, name)
			if err != nil {
				return err
			}
			if ok {
				text, found = t, true
				return ErrStop
			}
		}
		return nil
	})
	return text, found, err
}
